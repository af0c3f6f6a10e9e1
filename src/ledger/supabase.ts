import { createClient } from '@supabase/supabase-js';
import { InputError } from '../errors.ts';
import { ledgerChange } from './change.ts';
import { explainLedgerError } from './errors.ts';
import type { LedgerResponse } from './errors.ts';
import type { Ledger, LedgerJob } from './ledger.ts';
import type { LedgerSettings } from './settings.ts';

/** A request without an answer for this long counts as an outage. */
const REQUEST_TIMEOUT_MS = 5_000;

/** Ids are cast to text, since JSON.parse rounds integers above 2^53. */
const JOB_COLUMNS = `id::text, name, status, created_at, updated_at, total_batches, completed_batches, failed_batches,
  total_records, processed_records, failed_records, skipped_records, unchanged_records, tokens`;

/** {@link JOB_COLUMNS} as they arrive. */
interface JobRow {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly total_batches: number;
  readonly completed_batches: number;
  readonly failed_batches: number;
  readonly total_records: number;
  readonly processed_records: number;
  readonly failed_records: number;
  readonly skipped_records: number;
  readonly unchanged_records: number;
  readonly tokens: number;
}

/**
 * A {@link Ledger} in a Supabase project with the schema of supabase/migrations. It repeats nothing by itself.
 *
 * @throws InputError without SUPABASE_URL and SUPABASE_KEY
 */
export function createSupabaseLedger(settings: LedgerSettings): Ledger {
  const { SUPABASE_URL: url, SUPABASE_KEY: key } = settings;
  if (url === undefined || key === undefined) {
    throw new InputError(['SUPABASE_URL, SUPABASE_KEY: expected both, for a ledger']);
  }
  const client = createClient(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
  });

  return {
    async apply(update, recordIds, signal) {
      await answered(signal, (limit) =>
        client
          .rpc('ferry_apply_ledger', { change: ledgerChange(update, recordIds) })
          .retry(false)
          .abortSignal(limit),
      );
    },

    async jobs({ name, limit }, signal) {
      const rows = await answered<JobRow[]>(signal, (timeLimit) => {
        const all = client.from('ingestion_job').select(JOB_COLUMNS);
        return (name === undefined ? all : all.eq('name', name))
          .order('started_at', { ascending: false })
          .limit(limit)
          .retry(false)
          .abortSignal(timeLimit)
          .overrideTypes<JobRow[], { merge: false }>();
      });
      return (rows ?? []).map(jobOf);
    },
  };
}

type Answer<T> =
  { readonly data: T | null; readonly error: null } | (LedgerResponse & { readonly data: null });

/** Runs one request; throws `signal.reason` as it is, or what the answer means. */
async function answered<T>(
  signal: AbortSignal,
  request: (limit: AbortSignal) => PromiseLike<Answer<T>>,
): Promise<T | null> {
  signal.throwIfAborted();
  const answer = await request(AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]));
  if (answer.error === null) return answer.data;
  signal.throwIfAborted();
  throw explainLedgerError(answer);
}

function jobOf(row: JobRow): LedgerJob {
  return {
    id: row.id,
    name: row.name,
    status: row.status,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    totalBatches: row.total_batches,
    completedBatches: row.completed_batches,
    failedBatches: row.failed_batches,
    totalRecords: row.total_records,
    processedRecords: row.processed_records,
    failedRecords: row.failed_records,
    skippedRecords: row.skipped_records,
    unchangedRecords: row.unchanged_records,
    tokens: row.tokens,
  };
}
