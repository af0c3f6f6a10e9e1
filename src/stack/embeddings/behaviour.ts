import { SPOILINGS, type Spoil } from './spoiling.ts';

/** What a test can switch while the server runs (PUT /control/behaviour with any of these). */
export interface Behaviour {
  /** Time that every answer of /v1/embeddings takes, besides computing it. @default 0 */
  readonly latencyMs: number;
  /** More of it for each input. @default 0 */
  readonly latencyPerInputMs: number;
  /** Requests per minute; null: no limit. @default null */
  readonly rpm: number | null;
  /** Tokens per minute; null: no limit. @default null */
  readonly tpm: number | null;
  /** A request with an input that contains one of these is refused with 400. @default [] */
  readonly refuse: readonly string[];
  /** All of /v1: answer 503 or 500, reset the connection, or never answer. @default null */
  readonly outage: '503' | '500' | 'reset' | 'hang' | null;
  /** The only valid key; null: the one that the server was started with. @default null */
  readonly apiKey: string | null;
  /** Answer 429 insufficient_quota. @default false */
  readonly quotaExhausted: boolean;
  /** Whether a 429 of the rate limit says how long to wait. @default true */
  readonly retryAfter: boolean;
  /** Answers that would be 200 are spoilt after the work was done: they are paid. @default null */
  readonly spoil: Spoil | null;
}

/** The behaviour of a service in good health. */
export const DEFAULT_BEHAVIOUR: Behaviour = Object.freeze({
  latencyMs: 0,
  latencyPerInputMs: 0,
  rpm: null,
  tpm: null,
  refuse: [],
  outage: null,
  apiKey: null,
  quotaExhausted: false,
  retryAfter: true,
  spoil: null,
});

const isDuration = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= 3_600_000;
const isLimit = (value: unknown): boolean => value === null || (Number.isInteger(value) && Number(value) > 0);
const isBoolean = (value: unknown): boolean => typeof value === 'boolean';
const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

function isSpoil(value: unknown): boolean {
  if (value === null) return true;
  if (typeof value !== 'object') return false;
  const { how, count = 1, ...others } = value as Record<string, unknown>;
  const isCount = Number.isInteger(count) && Number(count) > 0;
  return SPOILINGS.includes(how as Spoil['how']) && isCount && Object.keys(others).length === 0;
}

const CHECKS: Record<keyof Behaviour, readonly [check: (value: unknown) => boolean, expected: string]> = {
  latencyMs: [isDuration, 'a number from 0 to 3600000'],
  latencyPerInputMs: [isDuration, 'a number from 0 to 3600000'],
  rpm: [isLimit, 'a positive integer or null'],
  tpm: [isLimit, 'a positive integer or null'],
  refuse: [(value) => Array.isArray(value) && value.every(isText), 'a list of non-empty strings'],
  outage: [
    (value) => value === null || ['503', '500', 'reset', 'hang'].includes(value as string),
    "null, '503', '500', 'reset' or 'hang'",
  ],
  apiKey: [(value) => value === null || isText(value), 'a non-empty string or null'],
  quotaExhausted: [isBoolean, 'true or false'],
  retryAfter: [isBoolean, 'true or false'],
  spoil: [isSpoil, `null or {how, count}, how one of ${SPOILINGS.join(', ')}, count a positive integer`],
};

/** The behaviour with some settings changed, or a sentence on what is wrong with the change. */
export function changeBehaviour(current: Behaviour, change: unknown): Behaviour | string {
  if (typeof change !== 'object' || change === null || Array.isArray(change)) return 'expected a JSON object';
  for (const [key, value] of Object.entries(change)) {
    if (!Object.hasOwn(CHECKS, key)) return `unknown setting '${key}'`;
    const [check, expected] = CHECKS[key as keyof Behaviour];
    if (!check(value)) return `'${key}' must be ${expected}`;
  }
  return { ...current, ...(change as Partial<Behaviour>) };
}

/** The behaviour after one answer was spoilt: a count goes down, and what has none stays as it is. */
export function afterSpoiling(current: Behaviour): Behaviour {
  const { spoil } = current;
  if (spoil?.count === undefined) return current;
  return { ...current, spoil: spoil.count > 1 ? { ...spoil, count: spoil.count - 1 } : null };
}
