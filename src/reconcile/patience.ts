import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../errors.ts';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 60_000;

/** What work on the services shares with the one who called it. */
export interface Attempt {
  /** Aborts everything at once: the attempt is no longer wanted. */
  readonly signal: AbortSignal;
  /** Asks to stop at the next whole record: vectors in hand are written, nothing more is embedded. */
  readonly stop: AbortSignal;
  /** How long a service may be out, in milliseconds since the last successful call. */
  readonly patienceMs: number;
  /** A call has succeeded or work has moved on. */
  progressed(): void;
  /** Begins a declared wait (a fault code, `rate_budget` or `memory_budget`), or ends it with null. */
  waiting(reason: string | null): void;
}

/** An attempt that writes, and that others may repeat. */
export interface WritingAttempt extends Attempt {
  /**
   * Returns once it is certain that nobody else does this work meanwhile; called before each write and each paid
   * request.
   *
   * @throws Error if another attempt may have taken over; nothing more may be written then
   */
  fence(): Promise<void>;
  /** Runs a request that takes long; nothing of a record is worked on here until its answer comes. */
  awaiting<T>(request: () => Promise<T>): Promise<T>;
  /** Something has been finished that the next attempt need not do again. */
  advanced(): void;
  /** Null unless attempts were lost in a row without having advanced: then records go one by one. */
  readonly suspicion: Suspicion | null;
}

/** Watches records that may kill their worker. */
export interface Suspicion {
  /**
   * Called before a record begins, so that the next attempt knows where this one was lost.
   *
   * @returns false if so many were lost at it that it is given up
   */
  begin(recordId: bigint): Promise<boolean>;
  /**
   * The record is done.
   *
   * @returns whether it was the one at which the last attempt was lost: then what follows needs no watch
   */
  end(): boolean;
}

/**
 * Repeats a call on transient faults, with the delay that the service asked for or else a growing one, so that what
 * the caller holds in memory (paid vectors above all) outlives an outage. The only such loop: adapters never retry.
 *
 * @throws Fault `patience_exhausted` when the service stays out for longer than the attempt's patience
 * @throws the call's error if it is no transient fault; the reason of `stop` or `signal` if aborted while waiting
 */
export async function persist<T>(attempt: Attempt, call: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  for (let tries = 0; ; tries++) {
    attempt.signal.throwIfAborted();
    try {
      const result = await call();
      attempt.progressed();
      if (tries > 0) attempt.waiting(null);
      return result;
    } catch (error) {
      const left = begin + attempt.patienceMs - performance.now();
      if (!(error instanceof Fault) || error.kind !== 'transient') {
        // The service is back, even if it refuses this call.
        if (tries > 0) attempt.waiting(null);
        throw error;
      }
      if (left <= 0) {
        throw new Fault('patience_exhausted', error.code, { cause: error });
      }
      attempt.waiting(error.code);
      await pause(attempt, Math.min(error.retryAfterMs ?? backoff(tries), left));
    }
  }
}

/** Full jitter over the upper half, so that workers that failed together do not come back together. */
function backoff(tries: number): number {
  const longest = Math.min(FIRST_DELAY_MS * 2 ** tries, LONGEST_DELAY_MS);
  return longest / 2 + Math.random() * (longest / 2);
}

async function pause(attempt: Attempt, delayMs: number): Promise<void> {
  const signal = AbortSignal.any([attempt.signal, attempt.stop]);
  try {
    await sleep(delayMs, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
