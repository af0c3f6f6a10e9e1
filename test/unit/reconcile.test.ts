import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '../../src/errors.ts';
import type { WritingAttempt } from '../../src/reconcile/patience.ts';
import { reconcile } from '../../src/reconcile/reconcile.ts';
import { RECONCILE_INPUT as input } from '../support/reconcile-input.ts';
import { MemoryEmbedder, MemorySource, MemoryTarget, vectorOf } from '../support/memory.ts';

function attempt(): WritingAttempt & { waits: (string | null)[] } {
  const waits: (string | null)[] = [];
  return {
    signal: new AbortController().signal,
    stop: new AbortController().signal,
    patienceMs: 60_000,
    progressed: () => undefined,
    waiting: (reason) => waits.push(reason),
    fence: () => Promise.resolve(),
    awaiting: (request) => request(),
    advanced: () => undefined,
    suspicion: null,
    waits,
  };
}

function setUp() {
  const source = new MemorySource();
  const embedder = new MemoryEmbedder();
  const target = new MemoryTarget();
  return { source, embedder, target, run: () => reconcile(input, { source, embedder, target }, attempt()) };
}

/** What every run must leave behind, checked without the code under test. */
function assertExact({ source, target }: ReturnType<typeof setUp>): void {
  const byRecord = Map.groupBy(target.points.values(), ({ point }) => point.recordId);
  for (const row of source.rows.values()) {
    const points = byRecord.get(row.id) ?? [];
    byRecord.delete(row.id);
    const squeeze = (text: string) => text.replace(/\s+/gu, '');
    const parents = points
      .filter(({ point }) => point.type === 'parent')
      .sort((a, b) => a.point.parentIndex - b.point.parentIndex);
    assert.equal(parents.map(({ point }) => squeeze(point.text)).join(''), squeeze(row.content ?? ''));
    for (const { point, vector, checksum } of points) {
      assert.equal(point.pointCount, points.length);
      assert.equal(point.tenant, row.tenant);
      assert.equal(checksum, points[0]?.checksum);
      assert.notEqual(checksum, '');
      assert.deepEqual(vector, point.type === 'child' ? vectorOf(point.text) : null);
    }
  }
  assert.deepEqual([...byRecord.keys()], [], 'no points of rows that are gone');
}

const words = fc
  .array(fc.constantFrom('alpha', 'beta', 'gamma', 'delta', 'one.', 'two?', '\n\n'), { maxLength: 40 })
  .map((list) => list.join(' '));
const change = fc.record({
  id: fc.bigInt({ min: 1n, max: 12n }),
  content: fc.option(words),
  tenant: fc.constantFrom('acme', 'bolt'),
  gone: fc.boolean(),
});

test('any edits, cut anywhere any number of times: the run that ends leaves the target exact', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 8 }), { minLength: 1, maxLength: 3 }),
      fc.array(fc.nat({ max: 60 }), { maxLength: 4 }),
      async (rounds, cuts) => {
        const world = setUp();
        for (const edits of rounds) {
          for (const { id, content, tenant, gone } of edits) {
            if (gone) world.source.rows.delete(id);
            else world.source.set(id, content, tenant);
          }
          for (const cut of cuts) {
            let left = cut;
            world.target.interrupt = () => {
              if (left-- === 0) throw new Error('killed');
            };
            await world.run().catch((error: unknown) => assert.match(String(error), /killed/));
          }
          world.target.interrupt = () => undefined;
          await world.run();
          assertExact(world);
          const paid = world.embedder.embedded.length;
          const again = await world.run();
          assert.equal(world.embedder.embedded.length, paid, 'a second run pays nothing');
          assert.deepEqual(
            [again.written, again.pointsWritten, again.pointsDeleted, again.inputs],
            [0, 0, 0, 0],
          );
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('counts add up, and first and last id are those that were read', async () => {
  const world = setUp();
  world.source.set(3n, 'alpha');
  world.source.set(9n, null);
  world.source.set(5n, 'refuse me');
  world.source.rows.set(7n, {
    id: 7n,
    tenant: null,
    content: null,
    refused: 'content_too_large',
    copied: {},
  });
  world.embedder.refuses = (text) => text.includes('refuse');
  const result = await world.run();
  assert.deepEqual(
    { ...result, pointsWritten: 0, tokens: 0, inputs: 0 },
    {
      firstId: 3n,
      lastId: 9n,
      records: 4,
      written: 1,
      unchanged: 0,
      skipped: 1,
      failed: [
        [7n, 'content_too_large'],
        [5n, 'embedding_refused'],
      ],
      orphans: 0,
      pointsWritten: 0,
      pointsDeleted: 0,
      inputs: 0,
      tokens: 0,
    },
  );
});

test('a failed record keeps the points that it had', async () => {
  const world = setUp();
  world.source.set(1n, 'alpha');
  await world.run();
  world.source.set(1n, 'refuse me');
  world.embedder.refuses = (text) => text.includes('refuse');
  const result = await world.run();
  assert.deepEqual(result.failed, [[1n, 'embedding_refused']]);
  assert.deepEqual(
    new Set([...world.target.points.values()].map(({ point }) => point.text)),
    new Set(['alpha']),
  );
});

test('n poisonous texts are isolated with at most 2·n·log2(inputs) requests beyond, plus one probe', async () => {
  const texts = Array.from({ length: 64 }, (_, i) => `text${i}`);
  const world = {
    source: new MemorySource(100),
    embedder: new MemoryEmbedder(100),
    target: new MemoryTarget(),
  };
  texts.forEach((text, i) => world.source.set(BigInt(i), text));
  const poison = new Set(['text3', 'text40', 'text41']);
  world.embedder.refuses = (text) => poison.has(text);
  const result = await reconcile(input, world, attempt());
  assert.deepEqual(result.failed.map(([id]) => id).sort(), [3n, 40n, 41n]);
  assert.equal(result.written, 61);
  assert.ok(world.embedder.requests.length <= 1 + 1 + 2 * poison.size * Math.log2(64));
});

test('a service that refuses even the probe halts the job and fails no record', async () => {
  const world = setUp();
  world.source.set(1n, 'alpha');
  world.embedder.refuses = () => true;
  await assert.rejects(
    world.run(),
    (error: unknown) => error instanceof Fault && error.code === 'embedding_refuses_everything',
  );
});

test('identical texts are embedded once', async () => {
  const world = setUp();
  for (const id of [1n, 2n, 3n]) world.source.set(id, 'the same');
  await world.run();
  assert.deepEqual(world.embedder.embedded, ['the same']);
  assertExact(world);
});

test('a tenant move embeds nothing and keeps associations', async () => {
  const world = setUp();
  world.source.set(1n, 'alpha');
  await world.run();
  for (const stored of world.target.points.values()) stored.collectionIds = [8];
  world.source.set(1n, 'alpha', 'bolt');
  const result = await world.run();
  assert.deepEqual([result.written, result.inputs], [1, 0]);
  assertExact(world);
  for (const { collectionIds } of world.target.points.values()) assert.deepEqual(collectionIds, [8]);
});

test('a transient fault is waited out and said; vectors in hand are not paid twice', async () => {
  const world = setUp();
  world.source.set(1n, 'alpha');
  let faults = 2;
  world.target.interrupt = () => {
    if (faults-- > 0) throw new Fault('target_unavailable', undefined, { retryAfterMs: 1 });
  };
  const one = attempt();
  await reconcile(input, world, one);
  assert.deepEqual(world.embedder.embedded, ['alpha']);
  assert.ok(one.waits.includes('target_unavailable'));
  assert.equal(one.waits.at(-1), null);
  assertExact(world);
});

test('a service that is back and refuses is no longer waited for', async () => {
  const world = setUp();
  world.source.set(1n, 'refuse me');
  world.embedder.refuses = (text) => text.includes('refuse');
  let faults = 1;
  world.embedder.interrupt = () => {
    if (faults-- > 0) throw new Fault('embedding_unavailable', undefined, { retryAfterMs: 1 });
  };
  const one = attempt();
  await reconcile(input, world, one);
  assert.deepEqual([one.waits[0], one.waits.at(-1)], ['embedding_unavailable', null]);
});

test('the end of patience halts', async () => {
  const world = setUp();
  world.source.set(1n, 'alpha');
  world.target.interrupt = () => {
    throw new Fault('target_unavailable', undefined, { retryAfterMs: 5 });
  };
  await assert.rejects(
    reconcile(input, world, { ...attempt(), patienceMs: 20 }),
    (error: unknown) =>
      error instanceof Fault && error.code === 'patience_exhausted' && error.kind === 'halting',
  );
});

test('orphans are counted without prune, deleted with it, and never if the row exists', async () => {
  const world = setUp();
  for (const id of [1n, 2n, 3n]) world.source.set(id, `text ${id}`);
  await world.run();
  world.source.rows.delete(1n);
  world.source.rows.delete(3n);
  const kept = await reconcile({ ...input, prune: false }, world, attempt());
  assert.deepEqual([kept.orphans, kept.pointsDeleted], [2, 0]);
  const pruned = await world.run();
  assert.deepEqual([pruned.orphans, pruned.pointsDeleted], [2, 4]);
  assertExact(world);
});
