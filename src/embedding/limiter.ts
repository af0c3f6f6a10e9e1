import { Budget } from './budget.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Pace } from './embedder.ts';
import type { RateReading } from './rate-headers.ts';

/** A wait shorter than this is not worth a word. */
const NOTICE_AFTER_MS = 50;
/** Longest sleep at a stretch: timers end at 2^31 ms, and a Retry-After may be longer. */
const MAX_SLEEP_MS = 3_600_000;
/**
 * Delays after refusals that do not say how long to wait: each doubles, up to 16 s, and each answer halves the next. So
 * the delay settles at the pace that the budget allows, and a process that was unlucky does not sleep through it. Three
 * simulated workers end within 1.001 to 1.09 of the time that a silent budget dictates; with a minute at most, and a new
 * beginning after each answer, within 1.003 to 1.34.
 */
const FIRST_BACKOFF_MS = 1_000;
const MAX_DOUBLINGS = 4;
/** How much later than asked the gate may open, so that hosts refused together do not come back together. */
const GATE_JITTER = 0.1;
/**
 * With these, simulated workers (2 to 10, requests of 0.3 to 6 % of a minute's budget) stay within 1.01 to 1.06 of the
 * time that the budget dictates, and 10 to 18 % of the requests of three workers are refused once.
 */
const MIN_SHARE = 1 / 8;
const SHARE_STEP = 0.03;

/** How a request ended, as far as pace is concerned. */
export interface Feedback {
  /** `answered`: 200; `limited`: 429 that waiting cures; `failed`: anything else, abort included. */
  readonly outcome: 'answered' | 'limited' | 'failed';
  /** The budgets in the headers of the answer. */
  readonly reading?: RateReading | undefined;
  /** For `limited`: how long to wait; undefined: back off. */
  readonly retryAfterMs?: number | undefined;
}

/** Leave to send one request; has to be released exactly once. */
export interface Permit {
  release(feedback: Feedback): void;
}

/** Settings of a {@link RateLimiter}. */
export interface RateLimiterOptions {
  /** Requests a minute; undefined: no limit until headers tell. */
  readonly requestsPerMinute?: number | undefined;
  /** Tokens a minute; undefined: no limit until headers tell. */
  readonly tokensPerMinute?: number | undefined;
  /** Requests in flight. */
  readonly maxConcurrency: number;
  readonly clock?: Clock;
  /** @default Math.random */
  readonly random?: () => number;
}

interface Waiting {
  readonly tokens: number;
  readonly grant: (permit: Permit) => void;
}

/**
 * Paces the requests of one process, first come, first served. Several processes, on several hosts, share the budget of
 * one account without talking to each other; the service is what they have in common:
 *
 * - The headers of each answer correct what this process thinks is left.
 * - A 429 closes the gate for everybody in this process until the service allows, or with growing delays if it does not
 *   say. Nobody repeats a request on its own.
 * - In flight is one request at first and after a 429, one more with each answer.
 * - Of what is left, a process counts on a share: all of it at first, half as much after each 429, a little more with
 *   each answer (as TCP shares a line). A small share loses nothing: what nobody takes is still there in the next
 *   reading.
 */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #maxConcurrency: number;
  readonly #requests: Budget;
  readonly #tokens: Budget;
  readonly #queue: Waiting[] = [];
  /** Tokens of requests in flight, by their ordinal. */
  readonly #inFlight = new Map<number, number>();
  #ordinal = 0;
  #newestReading = 0;
  #window = 1;
  #share = 1;
  #closedUntil = 0;
  /** Requests up to this ordinal were sent before the last 429: another one among them is the same event. */
  #refusedUpTo = 0;
  /** Doublings of the next delay, plus one; 0 when the last answers have made up for all refusals. */
  #backoffSteps = 0;
  #timer: AbortController | undefined;

  constructor(options: RateLimiterOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#maxConcurrency = options.maxConcurrency;
    const now = this.#clock.now();
    this.#requests = new Budget(options.requestsPerMinute, now);
    this.#tokens = new Budget(options.tokensPerMinute, now);
  }

  /** Tokens a minute, the smaller of settings and service; undefined: not known. */
  get tokensPerMinute(): number | undefined {
    return this.#tokens.limit;
  }

  /** Milliseconds until refusals no longer keep everybody waiting. */
  get closedForMs(): number {
    return Math.max(0, this.#closedUntil - this.#clock.now());
  }

  /** What this process can keep up, as far as settings and the service's answers say. */
  get pace(): Pace {
    return {
      requestsPerMinute: this.#requests.perMinute ?? null,
      tokensPerMinute: this.#tokens.perMinute ?? null,
    };
  }

  /**
   * Waits for its turn and for the budget.
   *
   * @param onWait told 'rate_budget' once the wait is longer than a moment, and null after it
   * @throws the reason of the signal
   */
  async acquire(
    tokens: number,
    { signal, onWait }: { signal: AbortSignal; onWait?: ((reason: string | null) => void) | undefined },
  ): Promise<Permit> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<Permit>();
    let granted = false;
    const waiting: Waiting = {
      tokens,
      grant: (permit) => {
        granted = true;
        resolve(permit);
      },
    };
    this.#queue.push(waiting);
    this.#pump();
    if (granted) return promise;

    const abort = (): void => {
      const at = this.#queue.indexOf(waiting);
      if (at < 0) return;
      this.#queue.splice(at, 1);
      reject(signal.reason as Error);
      this.#pump();
    };
    signal.addEventListener('abort', abort, { once: true });
    const settled = new AbortController();
    let noticed = false;
    if (onWait !== undefined) {
      void this.#clock.sleep(NOTICE_AFTER_MS, settled.signal).then(() => {
        if (settled.signal.aborted) return;
        noticed = true;
        onWait('rate_budget');
      });
    }
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', abort);
      settled.abort();
      if (noticed) onWait?.(null);
    }
  }

  #pump(): void {
    this.#timer?.abort();
    this.#timer = undefined;
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (this.#inFlight.size >= this.#window) return;
      const now = this.#clock.now();
      const waitMs = Math.max(
        this.#closedUntil - now,
        this.#requests.waitMs(1, now),
        this.#tokens.waitMs(first.tokens, now),
      );
      if (waitMs > 0) {
        this.#pumpAfter(Math.min(waitMs, MAX_SLEEP_MS));
        return;
      }
      this.#queue.shift();
      this.#requests.take(1, now);
      this.#tokens.take(first.tokens, now);
      first.grant(this.#permit(first.tokens));
    }
  }

  #pumpAfter(waitMs: number): void {
    const timer = new AbortController();
    this.#timer = timer;
    void this.#clock.sleep(waitMs, timer.signal).then(() => {
      if (!timer.signal.aborted) this.#pump();
    });
  }

  #permit(tokens: number): Permit {
    const ordinal = ++this.#ordinal;
    this.#inFlight.set(ordinal, tokens);
    return {
      release: (feedback) => {
        if (!this.#inFlight.delete(ordinal)) return;
        if (feedback.outcome === 'answered') this.#onAnswer();
        if (feedback.outcome === 'limited') this.#onRefusal(ordinal, feedback);
        this.#observe(ordinal, feedback.reading);
        this.#pump();
      },
    };
  }

  #onAnswer(): void {
    this.#window = Math.min(this.#maxConcurrency, this.#window + 1);
    this.#share = Math.min(1, this.#share + SHARE_STEP);
    this.#backoffSteps = Math.max(0, this.#backoffSteps - 1);
  }

  #onRefusal(ordinal: number, { reading, retryAfterMs }: Feedback): void {
    const now = this.#clock.now();
    if (ordinal > this.#refusedUpTo) {
      this.#refusedUpTo = this.#ordinal;
      this.#backoffSteps = Math.min(MAX_DOUBLINGS + 1, this.#backoffSteps + 1);
      this.#share = Math.max(MIN_SHARE, this.#share / 2);
      this.#window = 1;
      if (reading?.requests === undefined) this.#requests.drain(now);
      if (reading?.tokens === undefined) this.#tokens.drain(now);
    }
    const backoffMs = FIRST_BACKOFF_MS * 2 ** Math.max(0, this.#backoffSteps - 1);
    const delayMs =
      retryAfterMs === undefined
        ? backoffMs * (0.5 + this.#random() / 2)
        : retryAfterMs * (1 + this.#random() * GATE_JITTER);
    this.#closedUntil = Math.max(this.#closedUntil, now + delayMs);
  }

  #observe(ordinal: number, reading: RateReading | undefined): void {
    if (reading === undefined || ordinal < this.#newestReading) return;
    this.#newestReading = ordinal;
    // The service counts requests in the order they arrive: those sent after this one it had not seen.
    let requests = 0;
    let tokens = 0;
    for (const [other, amount] of this.#inFlight) {
      if (other < ordinal) continue;
      requests += 1;
      tokens += amount;
    }
    const now = this.#clock.now();
    if (reading.requests) this.#requests.observe(reading.requests, this.#share, requests, now);
    if (reading.tokens) this.#tokens.observe(reading.tokens, this.#share, tokens, now);
  }
}
