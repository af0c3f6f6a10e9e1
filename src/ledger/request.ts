import { createClient } from '@supabase/supabase-js';
import { explainLedgerError, noSupabase } from './errors.ts';
import type { LedgerResponse } from './errors.ts';

/** A request without an answer for this long counts as an outage. */
const REQUEST_TIMEOUT_MS = 5_000;

/** A client that keeps no session and starts no timers. */
export function connectSupabase(url: string, key: string) {
  return createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: { fetch: fetchHonestly },
  });
}

/** What {@link connectSupabase} gives. */
export type Supabase = ReturnType<typeof connectSupabase>;

type Answer<T> =
  { readonly data: T | null; readonly error: null } | (LedgerResponse & { readonly data: null });

/**
 * Runs one request.
 *
 * @param isExpected whether the data are what a Supabase project would answer
 * @throws `signal.reason` as it is, or what the answer means ({@link explainLedgerError})
 */
export async function answered<T>(
  signal: AbortSignal,
  request: (limit: AbortSignal) => PromiseLike<Answer<T>>,
  isExpected: (data: T | null) => boolean,
): Promise<T | null> {
  signal.throwIfAborted();
  const answer = await request(AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]));
  if (answer.error === null) {
    if (!isExpected(answer.data)) throw noSupabase('an answer of another form');
    return answer.data;
  }
  signal.throwIfAborted();
  throw explainLedgerError(answer);
}

/**
 * supabase-js takes a 404 with an empty body, or with a list, for success: an address where nobody is would swallow the
 * ledger without a word. And a redirect (from http to https, say) would turn a call into a GET without its argument.
 */
const fetchHonestly: typeof fetch = async (input, init) => {
  const response = await fetch(input, { ...init, redirect: 'manual' });
  if (response.status !== 404) return response;
  const body = await response.text();
  return new Response(isObject(body) ? body : '{}', { status: 404, statusText: response.statusText });
};

function isObject(body: string): boolean {
  try {
    const parsed: unknown = JSON.parse(body);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  } catch {
    return false;
  }
}
