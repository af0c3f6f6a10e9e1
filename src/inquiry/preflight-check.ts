import { Fault, type FaultCode } from '../errors.ts';
import type { Check } from '../job/inquiry.ts';
import type { Attempt } from '../reconcile/patience.ts';

/** Everything that preflight looks at; each has a row in docs/preflight.md. */
export const CHECK_IDS = [
  'source.server',
  'source.tls',
  'source.permissions',
  'source.table',
  'source.filter',
  'source.columns',
  'source.id',
  'source.id_index',
  'source.id_nulls',
  'source.id_duplicates',
  'source.id_range',
  'source.rows',
  'source.content',
  'source.encoding',
  'source.tenant',
  'source.copied',
  'source.oversize',
  'source.empty',
  'target.server',
  'target.permissions',
  'target.collection',
  'target.schema',
  'target.indexes',
  'target.origin',
  'target.points',
  'target.limits',
  'target.capacity',
  'embedding.model',
  'embedding.pace',
  'ledger.configured',
  'ledger.server',
  'temporal.server',
  'temporal.namespace',
  'temporal.retention',
  'workers.work',
  'workers.ledger',
] as const;

/** Stable id of a check. */
export type CheckId = (typeof CHECK_IDS)[number];

/** Nothing has to be done. */
export function ok(id: CheckId, message: string): Check {
  return { id, status: 'ok', message, advice: null };
}

/** The job can run, but somebody should know. @param advice what to do, naming the setting */
export function warning(id: CheckId, message: string, advice: string): Check {
  return { id, status: 'warning', message, advice };
}

/** The job would halt, fail or do harm. @param advice what to do, naming the setting */
export function problem(id: CheckId, message: string, advice: string): Check {
  return { id, status: 'problem', message, advice };
}

/** Why a service could not be looked at: a code of docs/errors.md, `timeout`, or `unexpected`. */
export interface Failure {
  readonly code: FaultCode | 'timeout';
  /** A sentence for people. */
  readonly message: string;
}

/**
 * Looks at a service for a limited time. What goes wrong is what was found, so it is no error.
 *
 * @throws the reason of the attempt's end, if it is no longer wanted
 */
export async function look<T>(
  attempt: Attempt,
  limitMs: number,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<{ readonly found: T } | { readonly failure: Failure }> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), limitMs);
  const signal = AbortSignal.any([attempt.signal, attempt.stop, late.signal]);
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  aborted.catch(() => undefined);
  try {
    signal.throwIfAborted();
    // A driver that does not heed the signal must not hold up the others.
    const found = await Promise.race([call(signal), aborted]);
    attempt.progressed();
    return { found };
  } catch (error) {
    attempt.signal.throwIfAborted();
    attempt.stop.throwIfAborted();
    return { failure: late.signal.aborted ? timeout(limitMs) : failureOf(error) };
  } finally {
    clearTimeout(timer);
  }
}

function timeout(limitMs: number): Failure {
  return { code: 'timeout', message: `No answer came within ${limitMs / 1_000} s.` };
}

function failureOf(error: unknown): Failure {
  if (!(error instanceof Fault)) {
    // The message of an unknown error may quote a row.
    const name = error instanceof Error ? error.name : typeof error;
    return { code: 'unexpected', message: `An unexpected ${name} came up.` };
  }
  // Nothing is tried again here, as the sentences of an outage say, and the check has advice of its own.
  const again = /; [^().]*\.(?: If that lasts, [^().]*\.)?/u;
  const message = error.kind === 'transient' ? error.message.replace(again, '.') : error.message;
  return { code: error.code, message };
}
