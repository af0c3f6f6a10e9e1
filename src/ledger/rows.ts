import type { LedgerFailure, LedgerJob } from './ledger.ts';

/** Ids are cast to text, since JSON.parse rounds integers above 2^53. */
export const JOB_COLUMNS = `id::text, name, status, created_at, updated_at, total_batches, completed_batches,
  failed_batches, total_records, processed_records, failed_records, skipped_records, unchanged_records, tokens`;

/** {@link JOB_COLUMNS} as they arrive. */
export interface JobRow {
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

/** A failure, and of its job what the request filters by. */
export const FAILURE_COLUMNS =
  'job_id::text, batch_number, code, stage, message, last_seen, ingestion_job!inner(name)';

/** {@link FAILURE_COLUMNS} as they arrive, as far as they are used. */
export interface FailureRow {
  readonly job_id: string;
  readonly batch_number: number;
  readonly code: string;
  readonly stage: string;
  readonly message: string;
  readonly last_seen: string;
}

/** A row of `ingestion_job` as the product names its figures. */
export function jobOf(row: JobRow): LedgerJob {
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

/** A row of `ingestion_failure` as the product names it. */
export function failureOf(row: FailureRow): LedgerFailure {
  return {
    jobId: row.job_id,
    batch: row.batch_number,
    code: row.code,
    stage: row.stage,
    message: row.message,
    at: row.last_seen,
  };
}
