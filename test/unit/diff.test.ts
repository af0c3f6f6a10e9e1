import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Parent } from '../../src/chunking/chunker.ts';
import { changesOf, desiredPoints, isExact, reusableVectors } from '../../src/reconcile/diff.ts';
import type { Expectation } from '../../src/reconcile/diff.ts';
import type { Point, PointHead } from '../../src/target/target.ts';

const expected: Expectation = { recordId: 7n, tenant: 'acme', copied: { rank: 3 }, checksum: 'a'.repeat(64) };

function headOf(point: Point): PointHead {
  const { id, recordId, type, checksum, pointCount, tenant, copied } = point;
  return {
    id,
    recordId,
    type,
    checksum,
    isUnfinished: false,
    pointCount,
    tenant,
    copied,
    collectionIds: null,
  };
}

const textsOf = (points: readonly Point[]) => new Map(points.map(({ id, text }) => [id, text]));

const parents = fc.array(
  fc.record({
    text: fc.string({ minLength: 1 }),
    children: fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }),
  }),
  { minLength: 1, maxLength: 4 },
);

test('points have dense ordinals, one count, and children know their parent', () => {
  const chunks: Parent[] = [
    { text: 'ab', children: ['a', 'b'] },
    { text: 'c', children: ['c'] },
  ];
  const points = desiredPoints('db/t', expected, chunks);
  assert.deepEqual(
    points.map(({ type, parentIndex, chunkIndex, pointCount }) => [
      type,
      parentIndex,
      chunkIndex,
      pointCount,
    ]),
    [
      ['parent', 0, null, 5],
      ['child', 0, 0, 5],
      ['child', 0, 1, 5],
      ['parent', 1, null, 5],
      ['child', 1, 2, 5],
    ],
  );
  assert.equal(points[1]?.parentId, points[0]?.id);
  assert.equal(points[4]?.parentId, points[3]?.id);
  assert.equal(new Set(points.map(({ id }) => id)).size, 5);
});

test('a record whose points are all there is exact; any difference makes it inexact', () => {
  fc.assert(
    fc.property(parents, fc.nat(), (chunks, pick) => {
      const heads = desiredPoints('db/t', expected, chunks).map(headOf);
      assert.ok(isExact(expected, heads));
      const index = pick % heads.length;
      const damage = (change: Partial<PointHead>) =>
        heads.with(index, { ...(heads[index] as PointHead), ...change });
      assert.ok(!isExact(expected, heads.toSpliced(index, 1)), 'a point is missing');
      assert.ok(
        !isExact(expected, [...heads, { ...(heads[index] as PointHead), id: 'other' }]),
        'one too many',
      );
      assert.ok(!isExact(expected, damage({ checksum: 'b'.repeat(64) })), 'another content');
      assert.ok(!isExact(expected, damage({ checksum: `~${expected.checksum}` })), 'an interrupted change');
      assert.ok(!isExact(expected, damage({ checksum: null })), 'no checksum');
      assert.ok(!isExact(expected, damage({ tenant: 'other' })), 'another tenant');
      assert.ok(!isExact(expected, damage({ copied: {} })), 'a copied column is missing');
      assert.ok(!isExact({ ...expected, checksum: null }, heads), 'no content any more');
    }),
  );
});

test('copied integers are compared by value: the target gives them back as bigint', () => {
  const heads = desiredPoints('db/t', expected, [{ text: 'a', children: ['a'] }]).map(headOf);
  assert.ok(
    isExact(
      expected,
      heads.map((head) => ({ ...head, copied: { rank: 3n } })),
    ),
  );
  assert.ok(
    !isExact(
      expected,
      heads.map((head) => ({ ...head, copied: { rank: 4n } })),
    ),
  );
});

test('a vector is never looked for on a parent, though it has the text of its only child', () => {
  const before = desiredPoints('db/t', expected, [{ text: 'a', children: ['a'] }]);
  const after = desiredPoints('db/t', expected, [{ text: 'new a', children: ['new', 'a'] }]);
  for (const heads of [before.map(headOf), before.map(headOf).reverse()]) {
    const change = changesOf(7n, after, heads, textsOf(before));
    assert.equal(reusableVectors(change, heads, textsOf(before)).get('a'), before[1]?.id);
  }
});

test('a record without content expects no points', () => {
  assert.ok(isExact({ ...expected, checksum: null }, []));
  assert.ok(!isExact(expected, []));
});

test('applying the changes makes any record exact, and embeds only texts that changed in place', () => {
  fc.assert(
    fc.property(parents, parents, (before, after) => {
      const old = desiredPoints('db/t', { ...expected, checksum: 'b'.repeat(64) }, before);
      const desired = desiredPoints('db/t', expected, after);
      const { writes, stale } = changesOf(7n, desired, old.map(headOf), textsOf(old));
      const state = new Map(old.map((point) => [point.id, point]));
      for (const { point } of writes) state.set(point.id, point);
      for (const { id } of stale) state.delete(id);
      assert.ok(isExact(expected, [...state.values()].map(headOf)));
      assert.deepEqual(new Set(state.keys()), new Set(desired.map(({ id }) => id)));
      for (const { action, point, vectorOf } of writes) {
        const same = old.find(({ id }) => id === point.id)?.text === point.text;
        assert.equal(action === 'describe', same);
        assert.equal(vectorOf, same || point.type === 'parent' ? null : point.text);
      }
    }),
  );
});

test('a point of an interrupted change does not keep its vector', () => {
  const points = desiredPoints('db/t', expected, [{ text: 'a', children: ['a'] }]);
  const heads = points.map((point) => ({ ...headOf(point), isUnfinished: true }));
  const { writes } = changesOf(7n, points, heads, textsOf(points));
  assert.deepEqual(
    writes.map(({ action, vectorOf }) => [action, vectorOf]),
    [
      ['replace', null],
      ['replace', 'a'],
    ],
  );
});

test('new points inherit the associations of the record', () => {
  const [parent, child] = desiredPoints('db/t', expected, [{ text: 'a', children: ['a'] }]) as [Point, Point];
  const heads = [{ ...headOf(parent), collectionIds: [4, 5] }];
  const { writes } = changesOf(7n, [parent, child], heads, textsOf([parent]));
  assert.deepEqual(writes.find(({ action }) => action === 'create')?.collectionIds, [4, 5]);
});

test('texts that moved to another ordinal take their vector from the point that has it', () => {
  const before = desiredPoints('db/t', expected, [{ text: 'ab', children: ['a', 'b'] }]);
  const after = desiredPoints('db/t', expected, [{ text: 'nab', children: ['new', 'a', 'b'] }]);
  const heads = before.map(headOf);
  const change = changesOf(7n, after, heads, textsOf(before));
  const reusable = reusableVectors(change, heads, textsOf(before));
  assert.deepEqual([...reusable.keys()].sort(), ['a', 'b']);
  assert.equal(reusable.get('a'), before[1]?.id);
});
