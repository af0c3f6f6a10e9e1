import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab, WorkerProcess } from '../support/lab.ts';
import type { Random } from './random.ts';

const CLOCK = new URL('clock.ts', import.meta.url).href;

const LOOK_EVERY_MS = 300;
const HIRE_AGAIN_MS = 2_000;
/** Of one worker, for the report of a round with a finding. */
const MOST_WARNINGS = 40;
/** How often the answers under way are looked at, at most. */
const ANSWER_TRIES = 4;

/** What was found in hand because of one fault: worker and text. */
export type Seen = Set<string>;

/** The workers of a round, and what they had paid for and not yet written when something happened to them. */
export class Crew {
  readonly #lab: Lab;
  readonly #random: Random;
  readonly #settings: Record<string, string>;
  readonly #answerMs: number;
  readonly #superseded: ReadonlySet<string>;
  readonly #working = new Map<number, WorkerProcess>();
  readonly #hired: number[] = [];
  readonly #everybody: WorkerProcess[] = [];
  /** Inputs of answers that a worker had lost before it was killed; what was on its way then is in hand. */
  readonly #lostBefore = new Map<number, number>();
  readonly #clocks: string | undefined;
  readonly #clockOf = new Map<number, string>();
  #hires = 0;
  #slots: number | undefined;
  /** By text: how often it was in hand when something happened. */
  readonly #inHand = new Map<string, number>();

  /**
   * @param options.answerMs how long a request under way may still take to be paid
   * @param options.clocks an empty folder; with it, the clocks of workers can be set
   */
  constructor(
    lab: Lab,
    random: Random,
    settings: Record<string, string>,
    options: { answerMs: number; superseded: ReadonlySet<string>; clocks?: string },
  ) {
    this.#lab = lab;
    this.#random = random;
    this.#settings = settings;
    this.#answerMs = options.answerMs;
    this.#superseded = options.superseded;
    this.#clocks = options.clocks;
  }

  /** Slots of those who are hired from now on. */
  set slots(slots: number) {
    this.#slots = slots;
  }

  /** Inputs that were in hand at all events so far: what may be paid again for that. */
  get inHand(): number {
    return [...this.#inHand.values()].reduce((sum, times) => sum + times, 0);
  }

  /** Of what was paid again, how much was not in hand before. @param paid how often each text was paid */
  unexplained(paid: ReadonlyMap<string, number>): number {
    const beyond = [...paid].map(([text, times]) => times - 1 - (this.#inHand.get(text) ?? 0));
    return beyond.reduce((sum, times) => sum + Math.max(0, times), 0);
  }

  get size(): number {
    return this.#working.size;
  }

  /** Starts a worker; while Temporal is away it tries again, as a supervisor would. */
  async hire(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const clock = this.#clocks === undefined ? undefined : join(this.#clocks, String(this.#hires++));
      try {
        const worker = await this.#lab.worker({
          ...this.#settings,
          ...(this.#slots !== undefined && { WORKER_SLOTS: String(this.#slots) }),
          ...(clock !== undefined && { NODE_OPTIONS: `--import=${CLOCK}`, CHAOS_CLOCK: clock }),
        });
        if (clock !== undefined) this.#clockOf.set(worker.pid, clock);
        this.#working.set(worker.pid, worker);
        this.#hired.push(worker.pid);
        this.#everybody.push(worker);
        return;
      } catch {
        await sleep(HIRE_AGAIN_MS);
      }
    }
  }

  /** Somebody who works, or undefined. */
  pick(): WorkerProcess | undefined {
    const all = [...this.#working.values()];
    return all.length === 0 ? undefined : this.#random.pick(all);
  }

  /** Ends some workers and counts what they had in hand: after SIGTERM only what they could not write any more. */
  async dismiss(workers: readonly WorkerProcess[], signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    for (const { pid } of workers) this.#working.delete(pid);
    const pids = workers.map(({ pid }) => pid);
    if (pids.length > 0) await this.#noteLost(pids);
    await Promise.all(workers.map((worker) => worker.kill(signal)));
    if (pids.length > 0) await this.count(pids);
  }

  /** Ends everybody when all is done. */
  async leave(): Promise<void> {
    await Promise.all([...this.#working.values()].map((worker) => worker.kill('SIGTERM')));
    this.#working.clear();
  }

  /** With `clocks` only: sets the wall clock of a worker off by so much; 0 sets it right. */
  setClock({ pid }: WorkerProcess, offsetMs: number): void {
    const file = this.#clockOf.get(pid);
    if (file !== undefined) writeFileSync(file, String(offsetMs));
  }

  /** Inputs of answers that were spoilt, or that a worker which lived on did not get. @throws Error from the server */
  async lost(): Promise<number> {
    let sum = 0;
    for (const [client, { spoiltInputs, lostInputs }] of await this.#lab.embeddings.clients()) {
      const pid = Number(/\((\d+)@/.exec(client)?.[1]);
      sum += this.#lostBefore.get(pid) ?? spoiltInputs + lostInputs;
    }
    return sum;
  }

  /** What workers have warned of, the last of it. */
  warnings(): string[] {
    return this.#everybody.flatMap((worker) => {
      const lines = worker.log().split('\n');
      const notable = lines.filter((line) => line !== '' && !/"severity":"(?:INFO|DEBUG)"/.test(line));
      return notable.slice(-MOST_WARNINGS).map((line) => `${worker.pid} ${line.slice(0, 500)}`);
    });
  }

  all(): WorkerProcess[] {
    return [...this.#working.values()];
  }

  /**
   * Looks on from now until the given function is called: adds every text that a worker was seen to have in hand
   * meanwhile, once a worker. For outages in which attempts are given up that go on for a while, beside those that
   * follow them.
   */
  lookOn(): () => Promise<void> {
    const seen: Seen = new Set();
    const superseded = new Set(this.#superseded);
    const over = new AbortController();
    const looking = (async () => {
      while (!over.signal.aborted) {
        await this.#look(superseded, seen).catch(() => undefined);
        await sleep(LOOK_EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined);
      }
    })();
    return async () => {
      over.abort();
      await looking;
    };
  }

  async #look(superseded: ReadonlySet<string>, seen: Seen): Promise<void> {
    const collection = this.#settings['QDRANT_COLLECTION_NAME'];
    const settled = (await this.#lab.qdrant.childTexts(collection)).union(superseded);
    for (const pid of this.#hired) {
      const paid = await this.#lab.embeddings.texts(`(${pid}@`);
      for (const text of paid.keys()) this.#add(pid, text, settled, seen);
    }
  }

  /**
   * Adds what these workers have in hand now: paid, not in the target, and still in its row. It may be edited while a
   * server is waited for; whoever goes on may have read the row before that.
   *
   * @param pids of processes that may have ended
   * @param seen what was added for the same fault before
   */
  async count(pids: readonly number[], seen: Seen = new Set()): Promise<void> {
    const collection = this.#settings['QDRANT_COLLECTION_NAME'];
    const superseded = new Set(this.#superseded);
    const settled = (await persistently(() => this.#lab.qdrant.childTexts(collection))).union(superseded);
    const paid = await this.#paid(pids);
    for (const [pid, texts] of paid) for (const text of texts) this.#add(pid, text, settled, seen);
  }

  /** Of each worker once a fault, so that a text that two of them have in hand is there twice. */
  #add(pid: number, text: string, settled: ReadonlySet<string>, seen: Seen): void {
    const key = `${pid} ${text}`;
    if (settled.has(text) || seen.has(key)) return;
    seen.add(key);
    this.#inHand.set(text, (this.#inHand.get(text) ?? 0) + 1);
  }

  /** If the server is away, what it would have said counts later on: the cap is wider then, never too narrow. */
  async #noteLost(pids: readonly number[]): Promise<void> {
    const clients = await this.#lab.embeddings.clients().catch(() => undefined);
    if (clients === undefined) return;
    for (const pid of pids) {
      const own = [...clients].filter(([client]) => client.includes(`(${pid}@`)).map(([, totals]) => totals);
      this.#lostBefore.set(
        pid,
        own.reduce((sum, { spoiltInputs, lostInputs }) => sum + spoiltInputs + lostInputs, 0),
      );
    }
  }

  /**
   * Texts that were paid for these workers, once a worker. Requests on their way are awaited: they are paid although
   * nobody may wait for them any more. Those who go on working never stop; theirs are awaited for a while.
   */
  async #paid(pids: readonly number[]): Promise<Map<number, string[]>> {
    let before = 0;
    for (let tries = 0; ; tries++) {
      const paid = new Map<number, string[]>();
      for (const pid of pids) {
        paid.set(pid, [...(await persistently(() => this.#lab.embeddings.texts(`(${pid}@`))).keys()]);
      }
      const count = [...paid.values()].reduce((sum, texts) => sum + texts.length, 0);
      if (tries === ANSWER_TRIES || (tries > 0 && count === before)) return paid;
      before = count;
      await sleep(this.#answerMs);
    }
  }
}

/** Asks a server that may be away. */
async function persistently<T>(ask: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 120_000; ; await sleep(200)) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
