import type { BudgetReading } from './rate-headers.ts';

const MINUTE_MS = 60_000;
/** Below this a difference is rounding. */
const EPSILON = 1e-6;

/** A bucket that refills evenly up to its capacity; a request above the capacity leaves a debt. */
interface TokenBucket {
  capacity: number;
  perMs: number;
  level: number;
  at: number;
}

function refill(bucket: TokenBucket, now: number): void {
  bucket.level = Math.min(bucket.capacity, bucket.level + Math.max(0, now - bucket.at) * bucket.perMs);
  bucket.at = now;
}

function bucketWaitMs(bucket: TokenBucket | undefined, amount: number, now: number): number {
  if (bucket === undefined) return 0;
  refill(bucket, now);
  const missing = Math.min(amount, bucket.capacity) - bucket.level;
  return missing <= EPSILON ? 0 : Math.ceil(missing / bucket.perMs);
}

/**
 * How fast the service refills. Its budgets are per minute, but some gateways announce one of a day in the same
 * headers; what is missing and when it is whole again tells them apart.
 */
function refillPerMs({ limit, remaining, resetMs }: BudgetReading): number {
  const perMinute = limit / MINUTE_MS;
  if (resetMs === undefined || resetMs <= MINUTE_MS || remaining >= limit) return perMinute;
  return Math.min(perMinute, (limit - remaining) / resetMs);
}

/**
 * One budget, of requests or of tokens, as this process knows it. Two buckets have to allow a request: the configured
 * one, which belongs to this process and is never corrected, and the observed one, which follows the headers of the
 * service and so contains what other processes spend.
 */
export class Budget {
  readonly #configured: TokenBucket | undefined;
  #observed: TokenBucket | undefined;
  #limit: number | undefined;
  #perMinute: number | undefined;

  /** @param perMinute what the settings allow; undefined: no limit until headers tell */
  constructor(perMinute: number | undefined, now: number) {
    this.#limit = perMinute;
    this.#perMinute = perMinute;
    if (perMinute !== undefined) {
      this.#configured = { capacity: perMinute, perMs: perMinute / MINUTE_MS, level: perMinute, at: now };
    }
  }

  /** The smaller of what settings and service allow a minute, or undefined if neither is known. */
  get limit(): number | undefined {
    return this.#limit;
  }

  /**
   * What one process that has the service to itself can keep up for long; undefined if neither settings nor service
   * say it. Below {@link limit} where the service announces the budget of a longer time than a minute.
   */
  get perMinute(): number | undefined {
    return this.#perMinute;
  }

  /** @returns milliseconds until so much can be taken; more than a whole budget waits until it is full */
  waitMs(amount: number, now: number): number {
    return Math.max(bucketWaitMs(this.#configured, amount, now), bucketWaitMs(this.#observed, amount, now));
  }

  /** Takes so much, whether it is there or not. */
  take(amount: number, now: number): void {
    for (const bucket of [this.#configured, this.#observed]) {
      if (bucket === undefined) continue;
      refill(bucket, now);
      bucket.level -= amount;
    }
  }

  /**
   * Takes over what the service says is left.
   *
   * @param share the part of it that this process counts on, 0 to 1
   * @param unseen what this process has sent since and the reading cannot contain
   */
  observe(reading: BudgetReading, share: number, unseen: number, now: number): void {
    this.#observed = {
      capacity: reading.limit * share,
      perMs: refillPerMs(reading) * share,
      level: reading.remaining * share - unseen,
      at: now,
    };
    const configured = this.#configured?.capacity ?? Number.POSITIVE_INFINITY;
    this.#limit = Math.min(configured, reading.limit);
    this.#perMinute = Math.min(configured, refillPerMs(reading) * MINUTE_MS);
  }

  /** Forgets what was saved up: from here on at the pace of the refill. */
  drain(now: number): void {
    for (const bucket of [this.#configured, this.#observed]) {
      if (bucket === undefined) continue;
      refill(bucket, now);
      bucket.level = Math.min(bucket.level, 0);
    }
  }
}
