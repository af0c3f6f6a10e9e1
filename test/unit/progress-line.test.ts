import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { Pace } from '../../src/cli/eta.ts';
import { progressLine } from '../../src/cli/progress-line.ts';
import { summary } from '../../src/cli/render.ts';
import type { Snapshot } from '../../src/client/snapshot.ts';
import { NO_TOTALS } from '../../src/job/outcome.ts';
import { fakeSnapshot } from '../support/snapshot.ts';

const WORKER = { identity: '1@host', polledAt: '2026-01-01T00:00:00.000Z' } as const;

const job = (changes: Partial<Snapshot> = {}): Snapshot =>
  fakeSnapshot({
    name: 'a b',
    plan: { partitions: 20, batches: 20_000, records: 2_000_000 },
    totals: {
      ...NO_TOTALS,
      completedBatches: 5_000,
      records: 500_000,
      tokens: 123_456_789,
      pointsWritten: 7,
    },
    workers: [WORKER],
    ...changes,
  });

/** A job that has done 6,000 records in a minute. */
function pace(): Pace {
  const measured = new Pace();
  measured.add(0, 494_000);
  measured.add(60_000, 500_000);
  return measured;
}

const line = (columns?: number, changes: Partial<Snapshot> = {}): string =>
  stripVTControlCharacters(progressLine(job(changes), pace(), columns));

describe('the live line', () => {
  it('has everything where there is room', () => {
    assert.equal(
      line(),
      '██████░░░░░░░░░░░░░░░░░░ 25.0 % · records 500,000/2,000,000 · ETA 4 h 10 min · 100 records/s · tokens 123,456,789 · batches 5,000/20,000 · points 7',
    );
  });

  it('shows percent, records, ETA and pace at 80 columns, and never more than fits', () => {
    assert.match(line(79), /^25\.0 % · records 500,000\/2,000,000 · ETA 4 h 10 min · 100 records\/s/u);
    assert.match(line(40), /^25\.0 % · records 500,000\/2,000,000/u);
    const totals = { ...NO_TOTALS, records: 500_000, failed: 3 };
    assert.match(line(79, { totals }), /100 records\/s · 3 failed/u);
    for (let columns = 50; columns <= 200; columns++) {
      const width = line(columns, { workers: [] }).length;
      assert.ok(width <= columns, `${width} of ${columns}`);
    }
  });

  it('has a shorter bar before it has none', () => {
    assert.match(line(145), /^███░░░░░░░ 25\.0 % .* points 7$/u);
  });

  it('puts first what keeps the job from going on', () => {
    const start = 'no worker polls: start one with `ferry worker`';
    assert.ok(line(79, { workers: [] }).startsWith(`${start} · 25.0 %`));
    assert.ok(line(79, { workers: [], status: 'unknown', plan: null }).startsWith(start));
    const waits = [{ reason: 'target_unavailable', since: '', count: 4 }];
    assert.ok(line(79, { waits }).startsWith('4 waiting: target_unavailable · 25.0 % · records '));
    assert.ok(line(79, { waits, plan: null }).startsWith('4 waiting: target_unavailable · migrating …'));
  });

  it('says that a job is to end', () => {
    const changes = { isCancelRequested: true, status: 'unknown', plan: null, workers: [] } as const;
    assert.ok(line(79, changes).startsWith('cancellation requested; it ends when a worker runs'));
    assert.match(
      line(79, { isCancelRequested: true, status: 'paused' }),
      /^cancellation requested; batches/u,
    );
  });
});

describe('the summary', () => {
  it('counts one as one', () => {
    const totals = { ...NO_TOTALS, records: 1, inputs: 1, tokens: 1, orphans: 1 };
    const text = summary(job({ totals, unmirrored: 1 }));
    assert.match(text, /paid {5}1 input, 1 token$/mu);
    assert.match(text, /1 record id has points/u);
    assert.match(text, /1 report behind/u);
  });

  it('quotes the name in commands', () => {
    assert.match(summary(job({ status: 'paused', pauseReason: 'requested' })), /`ferry resume 'a b'`/u);
  });
});
