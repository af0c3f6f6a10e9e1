import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/** Keeps the rows that a process reads below a rate. */
export interface RowPacer {
  /** Most rows to read at once: a second's worth, so that waits stay short and the load even. */
  readonly maxRows: number;
  /**
   * Waits until that many rows may be read. Waits of several callers add up in the order of their calls; nothing is
   * saved up while nobody calls.
   *
   * @throws the reason of `signal` if it is aborted meanwhile
   */
  take(rows: number, signal: AbortSignal): Promise<void>;
}

/** Time as the pacer sees it, in milliseconds; tests put their own in its place. */
export interface PacerClock {
  now(): number;
  /** @throws if the signal is aborted */
  sleep(ms: number, signal: AbortSignal): Promise<unknown>;
}

const SYSTEM_CLOCK: PacerClock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

/** @param rowsPerSecond undefined: as fast as possible */
export function createRowPacer(rowsPerSecond: number | undefined, clock = SYSTEM_CLOCK): RowPacer {
  if (rowsPerSecond === undefined) return { maxRows: Infinity, take: async () => undefined };
  /** When everything that has been taken is paid for. */
  let freeAt = 0;
  return {
    maxRows: Math.max(1, Math.floor(rowsPerSecond)),
    async take(rows, signal) {
      const now = clock.now();
      const begin = Math.max(now, freeAt);
      freeAt = begin + (rows / rowsPerSecond) * 1_000;
      if (begin <= now) return;
      try {
        await clock.sleep(begin - now, signal);
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },
  };
}
