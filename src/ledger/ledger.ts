import type { LedgerUpdate } from '../job/job.ts';

/** A row of `ingestion_job`; ids as text, times ISO 8601. */
export interface LedgerJob {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly totalBatches: number;
  readonly completedBatches: number;
  readonly failedBatches: number;
  readonly totalRecords: number;
  readonly processedRecords: number;
  readonly failedRecords: number;
  readonly skippedRecords: number;
  readonly unchangedRecords: number;
  readonly tokens: number;
}

/** A row of `ingestion_failure`; ids as text, times ISO 8601. */
export interface LedgerFailure {
  readonly jobId: string;
  /** Number of the batch within its job. */
  readonly batch: number;
  /** A code of docs/errors.md. */
  readonly code: string;
  readonly stage: string;
  readonly message: string;
  readonly at: string;
}

/** What a ledger that works lacks. */
export interface LedgerExamination {
  /** Files of supabase/migrations that are to be applied, in order, for all that this version writes; empty if none. */
  readonly missingMigrations: readonly string[];
}

/**
 * Mirrors a job for people and dashboards. It may lag or be out; nothing depends on it. Errors: {@link Fault} where
 * the adapter can explain them.
 */
export interface Ledger {
  /**
   * Applies the update in one transaction; lower sequences than those applied change nothing.
   *
   * @param recordIds the record ids (decimal) of a batch that has ended, by batch number, for reference only
   */
  apply(
    update: LedgerUpdate,
    recordIds: ReadonlyMap<number, readonly string[]>,
    signal: AbortSignal,
  ): Promise<void>;
  /** The newest jobs first; of one name if given. */
  jobs(options: { name?: string; limit: number }, signal: AbortSignal): Promise<LedgerJob[]>;
  /** The newest failure of a record in the jobs of that name; null if it never failed. */
  lastFailure(name: string, recordId: string, signal: AbortSignal): Promise<LedgerFailure | null>;
  /**
   * Reads without effect what `apply` needs: the tables, the function, the key.
   *
   * @throws Fault saying what is wrong if `apply` could not work
   */
  examine(signal: AbortSignal): Promise<LedgerExamination>;
}
