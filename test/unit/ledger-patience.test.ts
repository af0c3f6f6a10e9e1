import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exitCode } from '../../src/cli/follow.ts';
import { LedgerPatience } from '../../src/cli/ledger-patience.ts';
import type { Snapshot } from '../../src/client/snapshot.ts';
import { NO_TOTALS, type Totals } from '../../src/job/outcome.ts';
import { fakeSnapshot } from '../support/snapshot.ts';

const LIMIT_MS = 30_000;

function snapshot(totals: Partial<Totals> | null, changes: Partial<Snapshot> = {}): Snapshot {
  return fakeSnapshot({
    totals: totals === null ? null : { ...NO_TOTALS, ...totals },
    unmirrored: 3,
    ...changes,
  });
}

const DONE = { completedBatches: 3, records: 30 };

/** Whether the ledger's time was over at each of these looks, one a limit after the other. */
function looks(...seen: Snapshot[]): boolean[] {
  const patience = new LedgerPatience(LIMIT_MS);
  return seen.map((look, at) => patience.isOverAt(1_000 + at * LIMIT_MS, look));
}

describe('the patience with a ledger that is out', () => {
  it('begins when all batches have ended, and not when the job is merely behind', () => {
    const working = snapshot({ completedBatches: 2 });
    assert.deepEqual(looks(working, working, snapshot(DONE), snapshot(DONE)), [false, false, false, true]);
  });

  it('covers the root, whose reports nobody counts', () => {
    const ended = snapshot(DONE, { phase: 'ended', status: 'completed', unmirrored: 0 });
    assert.deepEqual(looks(ended, ended), [false, true]);
  });

  it('begins anew where the ledger was back', () => {
    const back = snapshot(DONE, { unmirrored: 0 });
    assert.deepEqual(looks(snapshot(DONE), back, snapshot(DONE), snapshot(DONE)), [
      false,
      false,
      false,
      true,
    ]);
  });

  it('is neither ended nor begun anew by a look without an answer', () => {
    const silent = snapshot(null, { status: 'unknown', phase: null, plan: null, unmirrored: null });
    for (const nothing of [silent, snapshot(null)]) {
      assert.deepEqual(looks(snapshot(DONE), nothing, snapshot(DONE)), [false, false, true]);
    }
  });

  it('does not end what has ended, or is not planned yet', () => {
    const closed = snapshot(DONE, { isOpen: false, phase: 'ended', status: 'completed' });
    const planning = snapshot({}, { phase: 'planning', plan: null });
    for (const look of [closed, planning]) assert.deepEqual(looks(look, look), [false, false]);
  });
});

describe('the exit code', () => {
  it('is that of the totals while the ledger alone keeps the job open', () => {
    assert.equal(exitCode(snapshot(DONE)), 0);
    assert.equal(exitCode(snapshot({ ...DONE, failed: 1 })), 1);
    assert.equal(exitCode(snapshot({ completedBatches: 2, failedBatches: 1 })), 1);
    assert.equal(exitCode(snapshot({ completedBatches: 2, cancelledBatches: 1 })), 1);
    assert.equal(exitCode(snapshot(DONE, { phase: 'ended', status: 'completed' })), 0);
  });

  it('is that of the status once the job has ended', () => {
    const ended = { isOpen: false, phase: 'ended' } as const;
    const codes = (['completed', 'failed', 'cancelled', 'terminated', 'timed_out'] as const).map((status) =>
      exitCode(snapshot(DONE, { ...ended, status })),
    );
    assert.deepEqual(codes, [0, 1, 3, 3, 1]);
    assert.equal(exitCode(snapshot(null, { ...ended, status: 'completed' })), 1);
  });
});
