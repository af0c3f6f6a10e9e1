import { randomUUID } from 'node:crypto';
import type { Losses } from '../job/job.ts';
import type { Suspicion } from '../reconcile/patience.ts';

/**
 * Losses of this weight in a row, and the next attempt goes record by record; of this weight at one record, and it is
 * given up. Two are enough if the process worked on a record when it was lost. While it only waited for the answer to a
 * request it takes twenty: most of its time a worker waits so, and that is when somebody who kills workers hits it.
 */
const ENOUGH = 20;
const AT_WORK = 10;
const AWAITING = 1;

const THIS_PROCESS: string = randomUUID();

/**
 * Finds the record that kills its worker, from what each attempt leaves in its heartbeat for the next. An attempt is
 * lost if it ends without a word. It does not count if it had advanced (one that goes record by record: since the record
 * in hand began), if it waited for a service, or if its process takes the next attempt: then the server or the network
 * was at fault.
 */
export class LossWatch {
  /** Null while records need not go one by one. */
  readonly suspicion: Suspicion | null;
  readonly #process: string;
  readonly #givenUp: Set<string>;
  #inARow: number;
  #record: string | null = null;
  #suspect: Losses['suspect'];
  #counts = true;
  #requests = 0;

  /**
   * @param attempt its number, from 1
   * @param left by the attempt before; undefined if it was lost before it could say anything
   * @param acknowledge sends a heartbeat with the {@link report} and returns when the server has it
   * @param process identity of this process
   */
  constructor(
    attempt: number,
    left: Losses | undefined,
    acknowledge: () => Promise<void>,
    process = THIS_PROCESS,
  ) {
    const last = left ?? NOTHING_SAID;
    const weight = attempt > 1 && last.process !== process ? last.weight : 0;
    this.#process = process;
    this.#inARow = last.inARow + weight;
    this.#suspect =
      weight > 0 && last.record !== null ? blamed(last.record, weight, last.suspect) : last.suspect;
    this.#givenUp = new Set(last.givenUp);
    const begin = async (recordId: bigint): Promise<boolean> => {
      if (!this.#enter(recordId.toString())) return false;
      await acknowledge();
      return true;
    };
    this.suspicion = this.#inARow < ENOUGH ? null : { begin, end: () => this.#leave() };
  }

  /** What to leave to the next attempt. */
  report(isWaiting: boolean): Losses {
    return {
      process: this.#process,
      weight: !this.#counts || isWaiting ? 0 : this.#requests > 0 ? AWAITING : AT_WORK,
      inARow: this.#inARow,
      record: this.#record,
      suspect: this.#suspect,
      givenUp: [...this.#givenUp],
    };
  }

  /**
   * The attempt has finished something.
   *
   * @returns whether the report is another one now
   */
  advance(): boolean {
    const wasCounting = this.#counts;
    this.#counts = false;
    if (this.suspicion === null) this.#inARow = 0;
    return wasCounting;
  }

  /** A request is on its way, or its answer has come. */
  awaits(change: 1 | -1): void {
    this.#requests += change;
  }

  /** The attempt ends in good order. */
  end(): void {
    this.#counts = false;
  }

  #enter(id: string): boolean {
    if (this.#suspect?.id === id && this.#suspect.weight >= ENOUGH) this.#givenUp.add(id);
    const isGivenUp = this.#givenUp.has(id);
    this.#record = isGivenUp ? null : id;
    // Whatever the attempt has finished before: from here it may be lost at this record.
    this.#counts = true;
    return !isGivenUp;
  }

  #leave(): boolean {
    const isCleared = this.#suspect !== null && this.#suspect.id === this.#record;
    this.#record = null;
    this.#counts = false;
    if (isCleared) {
      this.#suspect = null;
      this.#inARow = 0;
    }
    return isCleared;
  }
}

function blamed(id: string, weight: number, suspect: Losses['suspect']): NonNullable<Losses['suspect']> {
  return { id, weight: suspect?.id === id ? suspect.weight + weight : weight };
}

const NOTHING_SAID: Losses = {
  process: '',
  weight: AT_WORK,
  inARow: 0,
  record: null,
  suspect: null,
  givenUp: [],
};
