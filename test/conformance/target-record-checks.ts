import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Point } from '../../src/target/target.ts';
import { creations, family, JOB, signal, SNOWFLAKE, write, type TargetBench } from './target-bench.ts';
import type { TargetChecks } from './target-suite.ts';

const COLUMNS = ['title'];

/** A record, its neighbours where doubles lie 256 apart, and the same id of another owner. */
async function amongNeighbours(bench: TargetBench) {
  const owner = await bench.newOwner();
  const { parent: father, child: son } = family(SNOWFLAKE);
  const neighbours = [SNOWFLAKE - 1n, SNOWFLAKE + 1n].map((id) => family(id).child);
  await write(bench, owner, creations([father, son, ...neighbours]));
  const other = { ...owner, source: `${owner.source}-other` };
  await write(bench, other, creations([family(SNOWFLAKE).child]));
  const read = async (recordId = SNOWFLAKE) => {
    const points = await bench.target.record(owner, recordId, COLUMNS, signal);
    return new Map(points.map((point) => [point.head.id, point]));
  };
  return { owner, father, son, read };
}

export const recordChecks: TargetChecks = {
  'record: reads all points of one record as they are stored': async (bench) => {
    const { father, son, read } = await amongNeighbours(bench);
    const expected = (point: Point) => ({
      head: {
        id: point.id,
        recordId: SNOWFLAKE,
        type: point.type,
        checksum: point.checksum,
        isUnfinished: false,
        pointCount: 2,
        tenant: 'M-1',
        copied: { title: 'Q3' },
        collectionIds: null,
      },
      parentIndex: 0,
      chunkIndex: point.chunkIndex,
      text: point.text,
      jobId: JOB,
      hasDense: point.type === 'child',
      hasSparse: point.type === 'child',
      isIntact: true,
    });
    const points = await read();
    assert.equal(points.size, 2);
    assert.deepEqual(points.get(father.id), expected(father));
    assert.deepEqual(points.get(son.id), expected(son));
    assert.equal((await read(42n)).size, 0);
  },

  'record: stays intact when others write their keys, and shows damage of ours': async (bench) => {
    const { owner, father, son, read } = await amongNeighbours(bench);
    await bench.raw.setPayload(owner.collection, {
      wait: true,
      points: [father.id, son.id],
      payload: { likes: 3, collection_ids: [7] },
    });
    assert.ok([...(await read()).values()].every(({ isIntact }) => isIntact));
    await bench.raw.setPayload(owner.collection, {
      wait: true,
      points: [son.id],
      payload: { text: 'tampered' },
    });
    assert.equal((await read()).get(son.id)?.isIntact, false);
    assert.equal((await read()).get(father.id)?.isIntact, true);
  },

  'record: shows which vectors are missing': async (bench) => {
    const { owner, son, read } = await amongNeighbours(bench);
    const remove = (vector: string) =>
      bench.raw.deleteVectors(owner.collection, { wait: true, points: [son.id], vector: [vector] });
    await remove('child-sparse');
    let point = (await read()).get(son.id);
    assert.deepEqual([point?.hasDense, point?.hasSparse], [true, false]);
    await remove('child');
    point = (await read()).get(son.id);
    assert.deepEqual([point?.hasDense, point?.hasSparse], [false, false]);
  },

  'record: reads more points than a page has': async (bench) => {
    const owner = await bench.newOwner();
    const { child } = family(5n);
    const points = Array.from({ length: 1_100 }, (_, chunkIndex) => ({
      ...child,
      id: randomUUID(),
      chunkIndex,
    }));
    await write(bench, owner, creations(points));
    const found = await bench.target.record(owner, 5n, COLUMNS, signal);
    assert.equal(new Set(found.map(({ chunkIndex }) => chunkIndex)).size, points.length);
    assert.ok(found.every(({ hasDense, hasSparse }) => hasDense && hasSparse));
  },
};
