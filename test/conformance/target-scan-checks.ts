import assert from 'node:assert/strict';
import type { IdRange } from '../../src/source/source.ts';
import type { PointPage, ScanCursor } from '../../src/target/target.ts';
import {
  ascending,
  creations,
  EVERYTHING,
  parent,
  rejectsWith,
  scanAll,
  signal,
  SNOWFLAKE,
  write,
} from './target-bench.ts';
import type { TargetChecks } from './target-suite.ts';

const manyParents = (count: number) => Array.from({ length: count }, (_, index) => parent(BigInt(index)));

export const scanChecks: TargetChecks = {
  'scan: finds exactly the ids of a range, also where doubles cannot tell them apart': async (bench) => {
    const owner = await bench.newOwner();
    const ids = Array.from({ length: 600 }, (_, index) => SNOWFLAKE + BigInt(index));
    const extremes = [-(2n ** 63n) + 1n, -5n, 0n, 7n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n];
    await write(bench, owner, creations([...ids, ...extremes].map((id) => parent(id))));

    const scanned = async (range: IdRange) =>
      (await scanAll(bench, owner, range)).map(({ recordId }) => recordId).sort(ascending);
    assert.deepEqual(await scanned({ after: ids[99]!, upTo: ids[199]! }), ids.slice(100, 200));
    assert.deepEqual(await scanned({ after: ids[6]!, upTo: ids[7]! }), [ids[7]]);
    assert.deepEqual(await scanned({ after: 2n ** 53n, upTo: 2n ** 53n + 1n }), [2n ** 53n + 1n]);
    assert.deepEqual(await scanned({ after: 2n ** 63n - 2n, upTo: 2n ** 63n - 1n }), [2n ** 63n - 1n]);
    assert.deepEqual(await scanned({ after: -6n, upTo: 0n }), [-5n, 0n]);
    assert.deepEqual(await scanned({ after: -(2n ** 63n), upTo: -5n }), [-(2n ** 63n) + 1n, -5n]);
    assert.deepEqual(await scanned({ after: 5n, upTo: 5n }), []);
    assert.deepEqual(await scanned(EVERYTHING), [...ids, ...extremes].sort(ascending));
  },

  'scan: finds the points of its owner only': async (bench) => {
    const owner = await bench.newOwner();
    await write(bench, owner, creations([parent(SNOWFLAKE)]));
    await write(bench, { ...owner, source: `${owner.source}-other` }, creations([parent(SNOWFLAKE)]));
    assert.equal((await scanAll(bench, owner)).length, 1);
    const range = { after: SNOWFLAKE - 1n, upTo: SNOWFLAKE };
    assert.equal((await scanAll(bench, owner, range)).length, 1);
  },

  'scan: reads more than a page': async (bench) => {
    const owner = await bench.newOwner();
    await write(bench, owner, creations(manyParents(2_500)));
    assert.equal((await scanAll(bench, owner)).length, 2_500);
    assert.equal((await scanAll(bench, owner, { after: 9n, upTo: 1_509n })).length, 1_500);
  },

  'scan: is not disturbed by points that are deleted between two pages': async (bench) => {
    const owner = await bench.newOwner();
    const points = manyParents(2_200);
    await write(bench, owner, creations(points));
    const first = await bench.target.scan(owner, EVERYTHING, [], null, signal);
    assert.ok(first.next !== null);
    const read = new Set(first.heads.map(({ id }) => id));
    // What was read, the very point where the next page begins, and every second one of the rest.
    const rest = points.map(({ id }) => id).filter((id) => !read.has(id));
    const gone = new Set([...read, String(first.next), ...rest.filter((_, index) => index % 2 === 0)]);
    await bench.target.delete(
      owner.collection,
      points.filter(({ id }) => gone.has(id)),
      signal,
    );
    const seen: string[] = [];
    let cursor: ScanCursor | null = first.next;
    while (cursor !== null) {
      const page: PointPage = await bench.target.scan(owner, EVERYTHING, [], cursor, signal);
      seen.push(...page.heads.map(({ id }) => id));
      cursor = page.next;
    }
    assert.deepEqual(seen.sort(), rest.filter((id) => !gone.has(id)).sort());
  },

  'scan: reads heads with exact copied values, whatever a column is called': async (bench) => {
    const owner = await bench.newOwner();
    const copied = {
      'a.b': 'dot',
      'x[0]': 1.5,
      标题: '季度',
      big: 2n ** 60n + 1n,
      small: 5n,
      none: null,
      yes: true,
    };
    const point = { ...parent(SNOWFLAKE), tenant: 'M-7', copied };
    await write(bench, owner, creations([point], undefined, [4, 5]));
    assert.deepEqual(await scanAll(bench, owner, EVERYTHING, Object.keys(copied)), [
      {
        id: point.id,
        recordId: SNOWFLAKE,
        type: 'parent',
        checksum: point.checksum,
        isUnfinished: false,
        pointCount: 1,
        tenant: 'M-7',
        copied,
        collectionIds: [4, 5],
      },
    ]);
  },

  'scan and write: say that the collection is missing': async (bench) => {
    const owner = { collection: bench.newSpec().name, source: 'crm/memo' };
    await rejectsWith('target_collection_missing', scanAll(bench, owner));
    await rejectsWith('target_collection_missing', write(bench, owner, creations([parent(1n)])));
  },
};
