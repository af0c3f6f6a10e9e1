import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BatchEnds,
  LARGEST_ID,
  planBatches,
  planPartitions,
  BELOW_ALL_IDS,
} from '../../src/planning/plan.ts';

const ids = fc
  .uniqueArray(fc.bigInt({ min: -(2n ** 63n), max: LARGEST_ID }), { maxLength: 400 })
  .map((list) => list.sort((a, b) => (a < b ? -1 : 1)));

function scan(list: readonly bigint[], batchSize: number) {
  const ends = new BatchEnds(batchSize);
  for (let i = 0; i < list.length; i += 7) ends.add(list.slice(i, i + 7));
  return { ends: ends.ends, records: ends.records, batchSize };
}

test('partitions tile: no lower bound, no gap, no overlap, the last id included', () => {
  fc.assert(
    fc.property(
      ids,
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 8 }),
      (list, size, concurrency) => {
        const plan = planPartitions(scan(list, size), { concurrency, prune: false, wholeTable: true });
        if (list.length === 0) return assert.deepEqual(plan, []);
        assert.equal(plan[0]?.after, String(BELOW_ALL_IDS));
        assert.equal(plan.at(-1)?.upTo, String(list.at(-1)));
        plan.forEach((partition, k) => {
          assert.equal(partition.index, k);
          assert.equal(partition.after, k === 0 ? String(BELOW_ALL_IDS) : plan[k - 1]?.upTo);
          assert.ok(BigInt(partition.after) < BigInt(partition.upTo));
          const previous = plan[k - 1];
          assert.equal(partition.firstBatch, previous ? previous.firstBatch + previous.batches : 0);
          const within = list.filter((id) => id > BigInt(partition.after) && id <= BigInt(partition.upTo));
          assert.equal(within.length, partition.records);
        });
        const batches = Math.ceil(list.length / size);
        assert.equal(
          plan.reduce((sum, p) => sum + p.batches, 0),
          batches,
        );
        assert.equal(plan.length, Math.min(batches, 16 * concurrency));
        return undefined;
      },
    ),
  );
});

test('batches tile their partition, exactly as many as planned, although rows came and went', () => {
  fc.assert(
    fc.property(ids, ids, fc.integer({ min: 1, max: 50 }), (before, after, size) => {
      for (const partition of planPartitions(scan(before, size), {
        concurrency: 1,
        prune: true,
        wholeTable: true,
      })) {
        const now = after.filter((id) => id > BigInt(partition.after) && id <= BigInt(partition.upTo));
        const batches = planBatches(partition, now);
        assert.equal(batches.length, partition.batches);
        assert.equal(batches[0]?.after, partition.after);
        assert.equal(batches.at(-1)?.upTo, partition.upTo);
        assert.equal(batches.at(-1)?.pointsUpTo, partition.pointsUpTo);
        batches.forEach((batch, k) => {
          if (k > 0) assert.equal(batch.after, batches[k - 1]?.upTo);
          assert.ok(BigInt(batch.after) <= BigInt(batch.upTo));
        });
      }
    }),
  );
});

test('an undisturbed partition gets batches of the planned size', () => {
  const list = Array.from({ length: 1_000 }, (_, i) => BigInt(i) * 3n + 5n);
  for (const partition of planPartitions(scan(list, 10), {
    concurrency: 2,
    prune: false,
    wholeTable: true,
  })) {
    const own = list.filter((id) => id > BigInt(partition.after) && id <= BigInt(partition.upTo));
    for (const batch of planBatches(partition, own)) {
      const size = own.filter((id) => id > BigInt(batch.after) && id <= BigInt(batch.upTo)).length;
      assert.equal(size, 10);
    }
  }
});

test('with prune and without limit the last range reaches to the largest id, for points only', () => {
  const plan = (prune: boolean, wholeTable: boolean) =>
    planPartitions(scan([1n, 2n, 3n], 2), { concurrency: 1, prune, wholeTable }).at(-1);
  assert.deepEqual(
    [plan(true, true), plan(true, false), plan(false, true)].map((last) => [last?.upTo, last?.pointsUpTo]),
    [
      ['3', String(LARGEST_ID)],
      ['3', '3'],
      ['3', '3'],
    ],
  );
});

test('a table without rows has nothing to do, but points of deleted rows with prune', () => {
  const empty = scan([], 100);
  assert.deepEqual(planPartitions(empty, { concurrency: 5, prune: false, wholeTable: true }), []);
  const [only, ...others] = planPartitions(empty, { concurrency: 5, prune: true, wholeTable: true });
  assert.equal(others.length, 0);
  assert.deepEqual([only?.batches, only?.records, only?.pointsUpTo], [1, 0, String(LARGEST_ID)]);
});

test('a plan for 895,176 records at the default settings', () => {
  const ends = new BatchEnds(100);
  for (let i = 0; i < 895_176; i += 10_000) {
    ends.add(Array.from({ length: Math.min(10_000, 895_176 - i) }, (_, k) => BigInt(i + k) * 4_096n));
  }
  const plan = planPartitions(
    { ends: ends.ends, records: ends.records, batchSize: 100 },
    { concurrency: 5, prune: false, wholeTable: true },
  );
  assert.equal(plan.length, 80);
  assert.equal(
    plan.reduce((sum, { batches }) => sum + batches, 0),
    8_952,
  );
  assert.equal(
    plan.reduce((sum, { records }) => sum + records, 0),
    895_176,
  );
});
