import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/activity';
import { ActivityNotFoundError } from '@temporalio/client';
import { ATTEMPT_ENDS } from '../errors.ts';

const RETRY_MS = 500;

/** What ends the wait for a server that does not answer: `signal` at once, `stop` after one more answer is missing. */
interface LeaseSignals {
  readonly signal: AbortSignal;
  readonly stop: AbortSignal;
}

/**
 * The server's word that an attempt is still the only one of its activity. An attempt that stood still (a stopped
 * process, a sleeping laptop, a cut network) may have a successor already: it asks before it writes, and is told.
 */
export class Lease {
  readonly #heartbeat: () => Promise<void>;
  readonly #validMs: number;
  readonly #signals: LeaseSignals;
  readonly #unanswered: (error: unknown) => void;
  #confirmed: Moment | null = null;

  /**
   * @param heartbeat sends one through a client and returns when it is acknowledged
   * @param validMs how long a confirmation counts, in milliseconds; shorter than the heartbeat timeout
   * @param unanswered hears of the first error of each wait
   */
  constructor(
    heartbeat: () => Promise<void>,
    validMs: number,
    signals: LeaseSignals,
    unanswered: (error: unknown) => void,
  ) {
    this.#heartbeat = heartbeat;
    this.#validMs = validMs;
    this.#signals = signals;
    this.#unanswered = unanswered;
  }

  /**
   * Returns at once while a confirmation is fresh, else with {@link renew}.
   *
   * @throws as {@link renew}
   */
  async hold(): Promise<void> {
    if (!this.#isFresh()) await this.renew();
  }

  /**
   * Asks the server, for as long as it takes to get a fresh answer: without one nobody knows who else writes.
   *
   * @throws ApplicationFailure of type LeaseLost if the server no longer knows the attempt, or does not answer one that
   * has been asked to stop
   * @throws the signal's reason
   */
  async renew(): Promise<void> {
    const { signal, stop } = this.#signals;
    for (let isFirst = true; ; isFirst = false) {
      signal.throwIfAborted();
      // The server counts from when it got it, so we count from before.
      const asked = new Moment();
      try {
        await this.#heartbeat();
        this.#confirmed = asked;
        // The process may have stood still between the answer and here.
        if (this.#isFresh()) return;
      } catch (error) {
        if (error instanceof ActivityNotFoundError) {
          throw lost('The server has given this attempt up; another goes on with what is left.');
        }
        if (stop.aborted)
          throw lost('The server does not answer; another attempt goes on with what is left.');
        if (isFirst) this.#unanswered(error);
        await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #isFresh(): boolean {
    return this.#confirmed !== null && this.#confirmed.ageMs() <= this.#validMs;
  }
}

function lost(message: string): ApplicationFailure {
  return ApplicationFailure.retryable(message, ATTEMPT_ENDS.leaseLost);
}

/** A moment by two clocks: one stands still while the machine sleeps, the other may be set back. */
class Moment {
  readonly #wall = Date.now();
  readonly #monotonic = performance.now();

  ageMs(): number {
    return Math.max(Date.now() - this.#wall, performance.now() - this.#monotonic);
  }
}
