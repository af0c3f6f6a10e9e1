import { FAULTS, isFaultCode } from '../errors.ts';
import type { LedgerUpdate } from '../job/job.ts';
import type { BatchReport, Outcome } from '../job/outcome.ts';

/** The columns of `ingestion_batch` that a report sets; ids are decimal strings. */
interface BatchColumns {
  readonly batch_number: number;
  readonly sequence: number;
  readonly status: BatchReport['status'];
  readonly start_id: string | null;
  readonly end_id: string | null;
  readonly record_ids: readonly string[] | null;
  readonly processed_count: number;
  readonly failed_count: number;
  readonly written_count: number;
  readonly unchanged_count: number;
  readonly skipped_count: number;
  readonly orphans: number;
  readonly points_written: number;
  readonly points_deleted: number;
  readonly inputs: number;
  readonly tokens: number;
  readonly error_message: string | null;
  readonly retry_count: number;
  readonly worker_id: string | null;
  readonly claimed_at: string;
  readonly ended_at: string | null;
  readonly failures: Outcome['failed'];
}

/** Argument of the SQL function `ferry_apply_ledger`; supabase/migrations describes it. */
export interface LedgerChange {
  readonly job: {
    readonly id: string;
    readonly name: string;
    readonly source: string;
    readonly collection: string | null;
    readonly started_at: string;
    readonly usd_per_million_tokens: number | null;
  };
  readonly state: {
    readonly sequence: number;
    readonly status: string;
    readonly reason: string | null;
    readonly ended_at: string | null;
    readonly plan: { partitions: number; batches: number; records: number } | null;
  } | null;
  readonly batches: readonly BatchColumns[];
  readonly faults: Readonly<Record<string, { stage: string; message: string }>>;
}

/**
 * Puts an update into the words of the SQL schema.
 *
 * @param usdPerMillionTokens kept with the job if it has none yet; null: no price is known
 */
export function ledgerChange(
  update: LedgerUpdate,
  recordIds: ReadonlyMap<number, readonly string[]>,
  usdPerMillionTokens: number | null,
): LedgerChange {
  const { job, state } = update;
  return {
    job: {
      id: job.id,
      name: job.name,
      source: job.source,
      collection: job.collection,
      started_at: job.startedAt,
      usd_per_million_tokens: usdPerMillionTokens,
    },
    state: state && {
      sequence: state.sequence,
      status: state.status,
      reason: state.reason,
      ended_at: state.endedAt,
      plan: state.plan,
    },
    batches: update.batches.map((report) =>
      report.status === 'processing'
        ? { ...NOTHING_YET, ...keysOf(report) }
        : { ...resultsOf(report), ...keysOf(report), record_ids: recordIds.get(report.batch) ?? null },
    ),
    faults: faultsIn(update.batches),
  };
}

/** A batch that has begun, or begins again: what it had added before no longer counts. */
const NOTHING_YET = {
  start_id: null,
  end_id: null,
  record_ids: null,
  processed_count: 0,
  failed_count: 0,
  written_count: 0,
  unchanged_count: 0,
  skipped_count: 0,
  orphans: 0,
  points_written: 0,
  points_deleted: 0,
  inputs: 0,
  tokens: 0,
  error_message: null,
  retry_count: 0,
  worker_id: null,
  ended_at: null,
  failures: [],
};

function keysOf(report: BatchReport) {
  return {
    batch_number: report.batch,
    sequence: report.sequence,
    status: report.status,
    claimed_at: report.startedAt,
  };
}

function resultsOf(outcome: Outcome) {
  return {
    start_id: outcome.firstId,
    end_id: outcome.lastId,
    processed_count: outcome.records - outcome.failed.length,
    failed_count: outcome.failed.length,
    written_count: outcome.written,
    unchanged_count: outcome.unchanged,
    skipped_count: outcome.skipped,
    orphans: outcome.orphans,
    points_written: outcome.pointsWritten,
    points_deleted: outcome.pointsDeleted,
    inputs: outcome.inputs,
    tokens: outcome.tokens,
    error_message: outcome.status === 'failed' ? FAULTS.unexpected.message : null,
    retry_count: Math.max(0, outcome.attempts - 1),
    worker_id: outcome.worker,
    ended_at: outcome.endedAt,
    failures: outcome.failed,
  };
}

/** Stage and message of every code that occurs, once; a code of a newer version is kept under the general message. */
function faultsIn(reports: readonly BatchReport[]): LedgerChange['faults'] {
  const codes = reports.flatMap((report) =>
    report.status === 'processing' ? [] : report.failed.map(([, code]) => code),
  );
  return Object.fromEntries(
    [...new Set(codes)].map((code) => {
      const { stage, message } = FAULTS[isFaultCode(code) ? code : 'unexpected'];
      return [code, { stage, message }];
    }),
  );
}
