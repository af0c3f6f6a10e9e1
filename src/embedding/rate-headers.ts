/** What the service says of one of its budgets (requests or tokens) in the headers of an answer. */
export interface BudgetReading {
  readonly limit: number;
  readonly remaining: number;
  /** Time until the budget is whole again. */
  readonly resetMs: number | undefined;
}

/** Both budgets; undefined where the headers do not say. */
export interface RateReading {
  readonly requests: BudgetReading | undefined;
  readonly tokens: BudgetReading | undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
};

/**
 * Parses a duration as OpenAI writes it: `120ms`, `8.64s`, `6m0s`, `1h0m0s`; a bare number counts seconds (Azure).
 *
 * @returns milliseconds, or undefined if it is something else
 */
export function parseDurationMs(text: string | null): number | undefined {
  const trimmed = text?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1_000;
  if (!/^(\d+(\.\d+)?(ms|[dhms]))+$/.test(trimmed)) return undefined;
  let total = 0;
  for (const [, amount, unit] of trimmed.matchAll(/([\d.]+)(ms|[dhms])/g)) {
    total += Number(amount) * UNIT_MS[unit!]!;
  }
  return total;
}

function count(text: string | null): number | undefined {
  return text !== null && /^\s*\d+\s*$/.test(text) ? Number(text) : undefined;
}

function readBudget(headers: Headers, name: 'requests' | 'tokens'): BudgetReading | undefined {
  const limit = count(headers.get(`x-ratelimit-limit-${name}`));
  const remaining = count(headers.get(`x-ratelimit-remaining-${name}`));
  if (limit === undefined || limit === 0 || remaining === undefined) return undefined;
  const resetMs = parseDurationMs(headers.get(`x-ratelimit-reset-${name}`));
  return { limit, remaining: Math.min(remaining, limit), resetMs };
}

/** Reads the `x-ratelimit-*` headers; gateways that write something else there are as good as silent. */
export function readRateHeaders(headers: Headers): RateReading {
  return { requests: readBudget(headers, 'requests'), tokens: readBudget(headers, 'tokens') };
}

/**
 * How long the service asks us to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date. No upper bound; zero
 * and what has passed count as nothing said, so that nobody spins on it.
 *
 * @param nowMs the wall clock, for dates
 */
export function readRetryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const precise = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (Number.isFinite(precise) && precise > 0) return precise;
  const text = headers.get('retry-after')?.trim();
  if (text === undefined || text === '') return undefined;
  const waitMs = /^[\d.]+$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return Number.isFinite(waitMs) && waitMs > 0 ? waitMs : undefined;
}

function shortageMs(reading: BudgetReading | undefined, amount: number): number {
  if (reading?.resetMs === undefined) return 0;
  const missing = Math.min(amount, reading.limit) - reading.remaining;
  return missing <= 0 ? 0 : (reading.resetMs * missing) / (reading.limit - reading.remaining);
}

/**
 * The wait that the reset headers imply for one request: the reset is when the budget is whole, and a request has to
 * wait only for its part of it.
 */
export function waitUntilAffordableMs(reading: RateReading, tokens: number): number | undefined {
  const waitMs = Math.max(shortageMs(reading.requests, 1), shortageMs(reading.tokens, tokens));
  return waitMs > 0 ? waitMs : undefined;
}
