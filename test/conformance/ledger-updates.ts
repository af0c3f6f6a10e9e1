import { randomUUID } from 'node:crypto';

import type { LedgerJobState, LedgerUpdate } from '../../src/job/job.ts';
import { NO_TOTALS } from '../../src/job/outcome.ts';
import type { BatchStart, Outcome } from '../../src/job/outcome.ts';

/** The first integer that a double cannot hold. */
export const BIG = 9_007_199_254_740_993n;
export const STARTED = '2026-11-21T10:00:00.000Z';
export const ENDED = '2026-11-21T10:00:05.000Z';
export const LATER = '2026-11-21T11:00:00.000Z';
export const NO_IDS: ReadonlyMap<number, readonly string[]> = new Map();

/** A job of its own. */
export function job(name = `conformance-${randomUUID()}`): LedgerUpdate['job'] {
  return { id: randomUUID(), name, source: 'shop/ip_summary', collection: null, startedAt: STARTED };
}

/** A batch that has begun. */
export function start(batch: number, sequence: number): BatchStart {
  return { batch, sequence, status: 'processing', startedAt: STARTED };
}

/** A batch that has ended well and empty, but for the changes. */
export function outcome(batch: number, sequence: number, changes: Partial<Outcome> = {}): Outcome {
  const { written, unchanged, skipped, orphans, pointsWritten, pointsDeleted, inputs, tokens } = NO_TOTALS;
  return {
    ...{ batch, sequence, status: 'completed', firstId: null, lastId: null, records: 0, failed: [] },
    ...{ attempts: 1, written, unchanged, skipped, orphans, pointsWritten, pointsDeleted, inputs, tokens },
    ...{ worker: 'worker-1', startedAt: STARTED, endedAt: ENDED },
    ...changes,
  };
}

/** A job that runs, but for the changes. */
export function state(sequence: number, changes: Partial<LedgerJobState> = {}): LedgerJobState {
  return { sequence, status: 'running', reason: null, plan: null, endedAt: null, ...changes };
}
