import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab, WorkerProcess } from '../support/lab.ts';
import type { Random } from './random.ts';

/** How often the answers under way are looked at, at most. */
const ANSWER_TRIES = 4;

/** The workers of a round, and what they had paid for and not yet written when something happened to them. */
export class Crew {
  readonly #lab: Lab;
  readonly #random: Random;
  readonly #settings: Record<string, string>;
  readonly #answerMs: number;
  readonly #superseded: ReadonlySet<string>;
  readonly #working = new Map<number, WorkerProcess>();
  readonly #hired: number[] = [];
  #inHand = 0;

  /** @param options.answerMs how long a request under way may still take to be paid */
  constructor(
    lab: Lab,
    random: Random,
    settings: Record<string, string>,
    options: { answerMs: number; superseded: ReadonlySet<string> },
  ) {
    this.#lab = lab;
    this.#random = random;
    this.#settings = settings;
    this.#answerMs = options.answerMs;
    this.#superseded = options.superseded;
  }

  /** Inputs that were in hand at all events so far: the cap of what may be paid again. */
  get inHand(): number {
    return this.#inHand;
  }

  get size(): number {
    return this.#working.size;
  }

  /** Starts a worker; while Temporal is away it tries again, as a supervisor would. */
  async hire(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const worker = await this.#lab.worker(this.#settings);
        this.#working.set(worker.pid, worker);
        this.#hired.push(worker.pid);
        return;
      } catch {
        await sleep(500);
      }
    }
  }

  /** Somebody who works, or undefined. */
  pick(): WorkerProcess | undefined {
    const all = [...this.#working.values()];
    return all.length === 0 ? undefined : this.#random.pick(all);
  }

  /** Ends some workers. With SIGKILL what they had in hand is counted. */
  async dismiss(workers: readonly WorkerProcess[], signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    for (const { pid } of workers) this.#working.delete(pid);
    await Promise.all(workers.map((worker) => worker.kill(signal)));
    if (signal === 'SIGKILL') await this.count(workers.map(({ pid }) => pid));
  }

  all(): WorkerProcess[] {
    return [...this.#working.values()];
  }

  /**
   * Adds what these workers have in hand now: paid, not in the target, and still in its row.
   *
   * @param pids of processes that may have ended; all that were ever hired if left out
   */
  async count(pids: readonly number[] = this.#hired): Promise<void> {
    const collection = this.#settings['QDRANT_COLLECTION_NAME'];
    const written = await persistently(() => this.#lab.qdrant.childTexts(collection).catch(noneIfAbsent));
    const paid = await this.#paid(pids);
    for (const text of paid) if (!written.has(text) && !this.#superseded.has(text)) this.#inHand++;
  }

  /**
   * Texts that were paid for these workers, once a worker. Requests on their way are awaited: they are paid although
   * nobody may wait for them any more. Those who go on working never stop; theirs are awaited for a while.
   */
  async #paid(pids: readonly number[]): Promise<string[]> {
    let before: string[] = [];
    for (let tries = 0; tries < ANSWER_TRIES; tries++) {
      const paid: string[] = [];
      for (const pid of pids) {
        paid.push(...(await persistently(() => this.#lab.embeddings.texts(`(${pid}@`))).keys());
      }
      if (tries > 0 && paid.length === before.length) return paid;
      before = paid;
      await sleep(this.#answerMs);
    }
    return before;
  }
}

/** Before its collection is there, nothing is written. */
function noneIfAbsent(error: unknown): Set<string> {
  if (error instanceof Error && /: 404 /.test(error.message)) return new Set();
  throw error;
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
