import type { Snapshot } from '../../src/client/snapshot.ts';
import { NO_TOTALS } from '../../src/job/outcome.ts';

/** What is seen of a job that migrates and has done nothing yet. */
export function fakeSnapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    name: 'memos',
    jobId: 'id',
    workflowId: 'migration-memos',
    status: 'running',
    isOpen: true,
    isCancelRequested: false,
    pauseReason: null,
    pauseDetail: null,
    failure: null,
    phase: 'migrating',
    startedAt: '2026-01-01T00:00:00.000Z',
    endedAt: null,
    collection: 'memos_v1',
    notes: [],
    plan: { partitions: 1, batches: 3, records: 30 },
    totals: NO_TOTALS,
    batchesInHand: [],
    waits: [],
    unmirrored: 0,
    workers: null,
    ...changes,
  };
}
