import { Fault } from '../errors.ts';

/** What supabase-js reports of a call that failed; `status` is 0 when no answer came. */
export interface LedgerResponse {
  readonly status: number;
  readonly error: {
    readonly code?: string | null;
    readonly message?: string | null;
    /** Without an answer: what the connection failed for, its code in brackets. */
    readonly details?: string | null;
  };
}

/** Codes of PostgREST and PostgreSQL; they say more than the status that comes with them. */
const ACCESS_DENIED = /^(?:42501|28\w{3}|PGRST3\d\d)$/u;
const SCHEMA_MISSING = /^(?:PGRST202|PGRST203|PGRST204|PGRST205|PGRST106|42P01|42883|42703|3F000)$/u;
/** Connection to the database or schema cache, resources, operator intervention, time limits, lost races. */
const UNAVAILABLE = /^(?:PGRST00[0-3]|08\w{3}|53\w{3}|57\w{3}|58\w{3}|25006|40001|40P01|55P03)$/u;
const TRANSIENT_STATUS = new Set([408, 425, 429]);
/** What something else than a Supabase project answers, without a code, besides redirects and 2xx without JSON. */
const ELSEWHERE_STATUS = new Set([400, 404, 405, 410]);

/** Codes of a connection that only TLS, or its absence on the other side, explains. */
const TLS_MISMATCH = /^(?:ERR_SSL_|EPROTO$)/u;
const UNTRUSTED = /CERT|SIGNATURE/u;

/**
 * Explains a failed call. Messages of the database may quote a row, so only status and code are passed on.
 *
 * @returns a {@link Fault} where the error is known, else an Error with status and code
 */
export function explainLedgerError({ status, error }: LedgerResponse): Error {
  if (status === 0) return new Fault('ledger_unavailable', noAnswer(error.details ?? ''));
  const code = error.code ?? '';
  const detail = code === '' ? `status ${status}` : `status ${status}, ${code}`;
  if (ACCESS_DENIED.test(code)) return accessDenied(detail);
  if (SCHEMA_MISSING.test(code)) return new Fault('ledger_schema_missing', detail);
  if (UNAVAILABLE.test(code)) return new Fault('ledger_unavailable', detail);
  if (TRANSIENT_STATUS.has(status) || status >= 500) return new Fault('ledger_unavailable', detail);
  if (status === 401 || status === 403) return accessDenied(detail);
  if (code === '' && (status < 400 || ELSEWHERE_STATUS.has(status))) return noSupabase(detail);
  return new Error(`Supabase refused a request of the ledger (${detail})`);
}

/** An answer, but from something else. It may be a proxy during an outage, so it counts as one. */
export function noSupabase(detail: string): Fault {
  return new Fault('ledger_unavailable', `${detail}: not from a Supabase project; check SUPABASE_URL`);
}

function accessDenied(detail: string): Fault {
  return new Fault('ledger_access_denied', `${detail}; it has to belong to the project of SUPABASE_URL`);
}

/** @param details holds the code of the connection's error in brackets, among paths and addresses */
function noAnswer(details: string): string {
  const code = /\(([A-Z][A-Z\d_]+)\)/u.exec(details)?.[1];
  if (code === undefined) return 'no answer at SUPABASE_URL';
  if (TLS_MISMATCH.test(code)) return `no answer: ${code}; does SUPABASE_URL begin with http:?`;
  if (UNTRUSTED.test(code)) return `no answer: ${code}; set NODE_EXTRA_CA_CERTS to its authority's PEM file`;
  return `no answer: ${code}; check SUPABASE_URL`;
}
