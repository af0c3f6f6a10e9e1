/** Which of the two budgets did not suffice, and for how long. */
export interface Shortage {
  readonly kind: 'requests' | 'tokens';
  readonly limit: number;
  readonly requested: number;
  readonly waitMs: number;
}

/** A budget per minute as a token bucket: full at first, refilled evenly, never above one minute's worth. */
class Bucket {
  readonly limit: number;
  #level: number;
  #at: number;

  constructor(limit: number, now: number) {
    this.limit = limit;
    this.#level = limit;
    this.#at = now;
  }

  level(now: number): number {
    const refilled = (Math.max(0, now - this.#at) / 60_000) * this.limit;
    this.#level = Math.min(this.limit, this.#level + refilled);
    this.#at = now;
    return this.#level;
  }

  waitMs(amount: number, now: number): number {
    const missing = Math.min(amount, this.limit) - this.level(now);
    return missing <= 0 ? 0 : Math.ceil((missing / this.limit) * 60_000);
  }

  take(amount: number, now: number): void {
    this.#level = this.level(now) - amount;
  }
}

/** A duration as OpenAI writes it in x-ratelimit-reset-*: `0s`, `120ms`, `8.64s`, `6m0s`, `1h0m0s`. */
export function formatReset(ms: number): string {
  const whole = Math.ceil(ms);
  if (whole <= 0) return '0s';
  if (whole < 1000) return `${whole}ms`;
  const hours = Math.floor(whole / 3_600_000);
  const minutes = Math.floor(whole / 60_000) % 60;
  const seconds = Number(((whole % 60_000) / 1000).toFixed(3));
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}

/** The requests-per-minute and tokens-per-minute budgets; a limit that is null is not enforced. */
export class RateLimits {
  #requests: Bucket | null = null;
  #tokens: Bucket | null = null;
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Sets both limits. A bucket is filled again only where its limit changed. */
  configure(rpm: number | null, tpm: number | null): void {
    const now = this.#now();
    if ((this.#requests?.limit ?? null) !== rpm) this.#requests = rpm === null ? null : new Bucket(rpm, now);
    if ((this.#tokens?.limit ?? null) !== tpm) this.#tokens = tpm === null ? null : new Bucket(tpm, now);
  }

  /** Fills both buckets. */
  refill(): void {
    const [rpm, tpm] = [this.#requests?.limit ?? null, this.#tokens?.limit ?? null];
    this.configure(null, null);
    this.configure(rpm, tpm);
  }

  /** Takes one request of so many tokens, or nothing and says what is short. */
  take(tokens: number): Shortage | null {
    const now = this.#now();
    const requestWait = this.#requests?.waitMs(1, now) ?? 0;
    const tokenWait = this.#tokens?.waitMs(tokens, now) ?? 0;
    const tooLarge = this.#tokens !== null && tokens > this.#tokens.limit;
    if (tooLarge || tokenWait > requestWait) {
      return { kind: 'tokens', limit: this.#tokens!.limit, requested: tokens, waitMs: tokenWait };
    }
    if (requestWait > 0) {
      return { kind: 'requests', limit: this.#requests!.limit, requested: 1, waitMs: requestWait };
    }
    this.#requests?.take(1, now);
    this.#tokens?.take(tokens, now);
    return null;
  }

  /** The x-ratelimit-* headers of this moment, for the limits that are set. */
  headers(): Record<string, string> {
    const now = this.#now();
    const headers: Record<string, string> = {};
    for (const [name, bucket] of [
      ['requests', this.#requests],
      ['tokens', this.#tokens],
    ] as const) {
      if (bucket === null) continue;
      headers[`x-ratelimit-limit-${name}`] = String(bucket.limit);
      headers[`x-ratelimit-remaining-${name}`] = String(Math.max(0, Math.floor(bucket.level(now))));
      headers[`x-ratelimit-reset-${name}`] = formatReset(bucket.waitMs(bucket.limit, now));
    }
    return headers;
  }
}
