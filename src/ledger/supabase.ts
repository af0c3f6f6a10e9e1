import { InputError } from '../errors.ts';
import { ledgerChange } from './change.ts';
import type { Ledger } from './ledger.ts';
import { answered, connectSupabase } from './request.ts';
import { FAILURE_COLUMNS, JOB_COLUMNS, failureOf, jobOf } from './rows.ts';
import type { FailureRow, JobRow } from './rows.ts';
import { examineSchema } from './schema.ts';
import type { LedgerSettings } from './settings.ts';

/**
 * A {@link Ledger} in a Supabase project with the schema of supabase/migrations. It repeats nothing by itself.
 *
 * @param options.usdPerMillionTokens what the cost of a job is computed with; null: no price is known
 * @throws InputError without SUPABASE_URL and SUPABASE_KEY
 */
export function createSupabaseLedger(
  settings: LedgerSettings,
  options: { usdPerMillionTokens?: number | null } = {},
): Ledger {
  const { SUPABASE_URL: url, SUPABASE_KEY: key } = settings;
  if (url === undefined || key === undefined) {
    throw new InputError(['SUPABASE_URL, SUPABASE_KEY: expected both, for a ledger']);
  }
  const client = connectSupabase(url, key);
  const price = options.usdPerMillionTokens ?? null;

  return {
    async apply(update, recordIds, signal) {
      await answered<unknown>(
        signal,
        (limit) =>
          client
            .rpc('ferry_apply_ledger', { change: ledgerChange(update, recordIds, price) })
            .retry(false)
            .abortSignal(limit),
        (data) => data === null,
      );
    },

    async jobs({ name, limit }, signal) {
      const rows = await answered<JobRow[]>(
        signal,
        (timeLimit) => {
          const all = client.from('ingestion_job').select(JOB_COLUMNS);
          return (name === undefined ? all : all.eq('name', name))
            .order('started_at', { ascending: false })
            .limit(limit)
            .retry(false)
            .abortSignal(timeLimit)
            .overrideTypes<JobRow[], { merge: false }>();
        },
        Array.isArray,
      );
      return (rows ?? []).map(jobOf);
    },

    async lastFailure(name, recordId, signal) {
      const rows = await answered<FailureRow[]>(
        signal,
        (limit) =>
          client
            .from('ingestion_failure')
            .select(FAILURE_COLUMNS)
            .eq('ingestion_job.name', name)
            .eq('record_id', recordId)
            .order('last_seen', { ascending: false })
            .limit(1)
            .retry(false)
            .abortSignal(limit)
            .overrideTypes<FailureRow[], { merge: false }>(),
        Array.isArray,
      );
      const [newest] = rows ?? [];
      return newest === undefined ? null : failureOf(newest);
    },

    examine: (signal) => examineSchema(client, signal),
  };
}
