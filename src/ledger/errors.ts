import { Fault } from '../errors.ts';

/** What supabase-js reports of a call that failed; `status` is 0 when no answer came. */
export interface LedgerResponse {
  readonly status: number;
  readonly error: { readonly code?: string | null; readonly message?: string | null };
}

/** Codes of PostgREST and PostgreSQL; they say more than the status that comes with them. */
const ACCESS_DENIED = /^(?:42501|28\w{3}|PGRST3\d\d)$/u;
const SCHEMA_MISSING = /^(?:PGRST202|PGRST203|PGRST204|PGRST205|PGRST106|42P01|42883|42703|3F000)$/u;
/** Connection to the database or schema cache, resources, operator intervention, time limits, lost races. */
const UNAVAILABLE = /^(?:PGRST00[0-3]|08\w{3}|53\w{3}|57\w{3}|58\w{3}|25006|40001|40P01|55P03)$/u;
const TRANSIENT_STATUS = new Set([0, 408, 425, 429]);

/**
 * Explains a failed call. Messages of the database may quote a row, so only status and code are passed on.
 *
 * @returns a {@link Fault} where the error is known, else an Error with status and code
 */
export function explainLedgerError({ status, error }: LedgerResponse): Error {
  const code = error.code ?? '';
  const detail = [status === 0 ? 'no answer' : `status ${status}`, code]
    .filter((part) => part !== '')
    .join(', ');
  if (ACCESS_DENIED.test(code)) return new Fault('ledger_access_denied', detail);
  if (SCHEMA_MISSING.test(code)) return new Fault('ledger_schema_missing', detail);
  if (UNAVAILABLE.test(code)) return new Fault('ledger_unavailable', detail);
  if (TRANSIENT_STATUS.has(status) || status >= 500) return new Fault('ledger_unavailable', detail);
  if (status === 401 || status === 403) return new Fault('ledger_access_denied', detail);
  return new Error(`Supabase refused a request of the ledger (${detail})`);
}
