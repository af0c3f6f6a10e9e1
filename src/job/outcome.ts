/** What became of a batch. Ids, counts and codes only: it stays in Temporal's history. */
export interface Outcome {
  /** Number of the batch within its job, from 0, dense. */
  readonly batch: number;
  /** Rises with every report on this batch; the ledger ignores lower ones. */
  readonly sequence: number;
  readonly status: 'completed' | 'failed' | 'cancelled';
  /** First and last record id read, decimal; null if the range holds no record. */
  readonly firstId: string | null;
  readonly lastId: string | null;
  /** Records read: written + unchanged + skipped + failed. */
  readonly records: number;
  readonly written: number;
  /** Records that needed nothing. */
  readonly unchanged: number;
  /** Records without content. */
  readonly skipped: number;
  /** Every failed record: id (decimal) and fault code. */
  readonly failed: readonly (readonly [id: string, code: string])[];
  /** Record ids that have points but no row in the unfiltered table. */
  readonly orphans: number;
  readonly pointsWritten: number;
  readonly pointsDeleted: number;
  /** Texts embedded (paid), and the tokens that the service counted for them. */
  readonly inputs: number;
  readonly tokens: number;
  /** Attempts that the batch took. */
  readonly attempts: number;
  /** Identity of the worker that ended it, or null. */
  readonly worker: string | null;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly endedAt: string;
}

/** A batch that has begun; the ledger shows it as processing. */
export interface BatchStart {
  readonly batch: number;
  readonly sequence: number;
  readonly status: 'processing';
  readonly startedAt: string;
}

/** What a partition tells the ledger about one batch. */
export type BatchReport = BatchStart | Outcome;

/** Sums over outcomes. */
export interface Totals {
  readonly completedBatches: number;
  readonly failedBatches: number;
  readonly cancelledBatches: number;
  readonly records: number;
  readonly written: number;
  readonly unchanged: number;
  readonly skipped: number;
  readonly failed: number;
  readonly orphans: number;
  readonly pointsWritten: number;
  readonly pointsDeleted: number;
  readonly inputs: number;
  readonly tokens: number;
}

export const NO_TOTALS: Totals = {
  completedBatches: 0,
  failedBatches: 0,
  cancelledBatches: 0,
  records: 0,
  written: 0,
  unchanged: 0,
  skipped: 0,
  failed: 0,
  orphans: 0,
  pointsWritten: 0,
  pointsDeleted: 0,
  inputs: 0,
  tokens: 0,
};

/** The totals of one outcome. */
export function totalsOf(outcome: Outcome): Totals {
  return {
    ...NO_TOTALS,
    completedBatches: outcome.status === 'completed' ? 1 : 0,
    failedBatches: outcome.status === 'failed' ? 1 : 0,
    cancelledBatches: outcome.status === 'cancelled' ? 1 : 0,
    records: outcome.records,
    written: outcome.written,
    unchanged: outcome.unchanged,
    skipped: outcome.skipped,
    failed: outcome.failed.length,
    orphans: outcome.orphans,
    pointsWritten: outcome.pointsWritten,
    pointsDeleted: outcome.pointsDeleted,
    inputs: outcome.inputs,
    tokens: outcome.tokens,
  };
}

/** Field by field. */
export function addTotals(a: Totals, b: Totals): Totals {
  const keys = Object.keys(NO_TOTALS) as (keyof Totals)[];
  return Object.fromEntries(keys.map((key) => [key, a[key] + b[key]])) as unknown as Totals;
}

/** Batches that have ended, however. */
export function endedBatches(totals: Totals): number {
  return totals.completedBatches + totals.failedBatches + totals.cancelledBatches;
}

/**
 * Counts the batches of a plan that will not run, so that nobody takes the job for complete.
 *
 * @param batches of the whole plan
 */
export function withRest(totals: Totals, batches: number, as: 'cancelledBatches' | 'failedBatches'): Totals {
  return { ...totals, [as]: totals[as] + batches - endedBatches(totals) };
}
