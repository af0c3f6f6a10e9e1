import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import type { Schemas } from '@qdrant/js-client-rest';
import { PAYLOAD_KEYS, pointHash, pointPayload } from '../../src/target/payload.ts';
import { createQdrantTarget } from '../../src/target/qdrant.ts';
import { DEFAULT_BM25 } from '../../src/target/settings.ts';
import type { Point, PointOwner, PointWrite } from '../../src/target/target.ts';
import {
  creations,
  EVERYTHING,
  family,
  JOB,
  parent,
  rejectsWith,
  retrieve,
  scanAll,
  signal,
  SNOWFLAKE,
  unitVector,
  write,
  type TargetBench,
} from './target-bench.ts';
import { startProxy } from './target-proxy.ts';
import type { TargetChecks } from './target-suite.ts';

/** What the driver gives for a payload that was created: safe integers are numbers. */
function created(point: Point, owner: PointOwner, collectionIds: unknown): Record<string, unknown> {
  const payload = { ...pointPayload(point, owner.source, JOB), collection_ids: collectionIds };
  return Object.fromEntries(
    Object.entries(payload).map(([key, value]) => [
      key,
      typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value,
    ]),
  );
}

/** After a change, null is an absent key. */
function changed(point: Point, owner: PointOwner, collectionIds: unknown): Record<string, unknown> {
  const payload = created(point, owner, collectionIds);
  return Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== null));
}

function vectorsOf(record: Schemas['Record'] | undefined): Record<string, unknown> {
  return (record?.vector ?? {}) as Record<string, unknown>;
}

function dense(record: Schemas['Record'] | undefined): number[] {
  return (vectorsOf(record).child as number[]).map(Math.fround);
}

async function wordsFind({ target }: TargetBench, owner: PointOwner, text: string): Promise<string[]> {
  const hits = await target.search(owner, { text, vector: null, limit: 10, tenant: null }, signal);
  return hits.map(({ id }) => id);
}

type Replacement = Extract<PointWrite, { action: 'replace' }>;

/** A change of a point into another content. */
function version(point: Point, text: string, seen: string | null): Replacement {
  const checksum = createHash('sha256').update(text).digest('hex');
  return { action: 'replace', point: { ...point, text, checksum }, seen, vector: unitVector() };
}

/** What a write would send, operation by operation; nothing arrives. */
async function operationsOf(
  bench: TargetBench,
  owner: PointOwner,
  change: PointWrite,
): Promise<Schemas['UpdateOperation'][]> {
  let sent: Schemas['UpdateOperations'] | undefined;
  const proxy = await startProxy(bench.settings, {
    request: ({ body }) => {
      sent = JSON.parse(body) as Schemas['UpdateOperations'];
      return null;
    },
  });
  const target = createQdrantTarget({ ...bench.settings, QDRANT_URL: proxy.url });
  await rejectsWith('target_unavailable', target.write(owner, JOB, DEFAULT_BM25, [change], signal));
  await proxy.close();
  return sent?.operations ?? [];
}

/** All ways to run two lists into each other, as lists of 0 and 1. */
function orders(zeros: number, ones: number): number[][] {
  if (zeros === 0) return [Array<number>(ones).fill(1)];
  if (ones === 0) return [Array<number>(zeros).fill(0)];
  return [
    ...orders(zeros - 1, ones).map((rest) => [0, ...rest]),
    ...orders(zeros, ones - 1).map((rest) => [1, ...rest]),
  ];
}

/** A record whose points carry what other jobs and applications keep in them. */
async function sharedFamily(bench: TargetBench, owner: PointOwner) {
  const { parent: father, child: son, vector } = family(1n);
  await write(bench, owner, creations([father, son], new Map([[son, vector]]), [1]));
  await bench.raw.setPayload(owner.collection, {
    wait: true,
    points: [father.id, son.id],
    payload: { likes: 3, collection_ids: [1, 2] },
  });
  return { father, son, vector };
}

export const writeChecks: TargetChecks = {
  'write: creates parents and children that read back as they were': async (bench) => {
    const owner = await bench.newOwner();
    const { parent: father, child: son, vector } = family(SNOWFLAKE);
    await write(bench, owner, [
      { action: 'create', point: father, vector: null, collectionIds: [9] },
      { action: 'create', point: son, vector, collectionIds: null },
    ]);
    const [storedParent, storedChild] = await retrieve(bench, owner, [father, son]);
    assert.deepEqual(storedParent?.payload, created(father, owner, [9]));
    assert.deepEqual(storedChild?.payload, created(son, owner, null));
    assert.deepEqual(vectorsOf(storedParent), {});
    assert.deepEqual(Object.keys(vectorsOf(storedChild)).sort(), ['child', 'child-sparse']);
    assert.deepEqual(Object.keys(storedChild?.payload ?? {}).sort(), [...PAYLOAD_KEYS, 'title'].sort());
    assert.equal(pointHash(storedChild?.payload ?? {}, ['title']), storedChild?.payload?.point_hash);
  },

  'write: what is acknowledged can be read at once': async (bench) => {
    const owner = await bench.newOwner();
    const { child: son, vector } = family(1n);
    for (let round = 0; round < 5; round++) {
      const point = { ...son, id: randomUUID(), text: `round ${round}` };
      await write(bench, owner, creations([point], new Map([[point, vector]])));
      const texts = await bench.target.texts(owner.collection, [point.id], signal);
      assert.equal(texts.get(point.id), point.text);
      assert.equal((await scanAll(bench, owner)).length, round + 1);
    }
  },

  'write: returns texts, and vectors bit by bit': async (bench) => {
    const owner = await bench.newOwner();
    const families = Array.from({ length: 230 }, (_, index) => family(BigInt(index)));
    const points = families.flatMap(({ parent: father, child: son }) => [father, son]);
    await write(
      bench,
      owner,
      creations(points, new Map(families.map(({ child, vector }) => [child, vector]))),
    );
    const asked = [...points.map(({ id }) => id), randomUUID()];
    const vectors = await bench.target.vectors(owner.collection, asked, signal);
    assert.equal(vectors.size, families.length);
    for (const { child: son, vector } of families) {
      assert.deepEqual(vectors.get(son.id), Float32Array.from(vector));
    }
    const texts = await bench.target.texts(owner.collection, asked, signal);
    assert.deepEqual([...texts].sort(), points.map(({ id, text }): [string, string] => [id, text]).sort());
  },

  'write: replaces points without touching collection_ids or keys of others': async (bench) => {
    const owner = await bench.newOwner();
    const { father, son } = await sharedFamily(bench, owner);
    const newVector = unitVector();
    const newFather = { ...father, text: 'new parent', checksum: 'd'.repeat(64) };
    const newSon = { ...son, text: 'new child', checksum: 'd'.repeat(64), tenant: 'M-8' };
    for (const time of [1, 2]) {
      await write(bench, owner, [
        { action: 'replace', point: newFather, seen: father.checksum, vector: null },
        { action: 'replace', point: newSon, seen: son.checksum, vector: newVector },
      ]);
      const [storedParent, storedChild] = await retrieve(bench, owner, [father, son]);
      const kept = { likes: 3 };
      assert.deepEqual(
        storedParent?.payload,
        { ...changed(newFather, owner, [1, 2]), ...kept },
        `time ${time}`,
      );
      assert.deepEqual(storedChild?.payload, { ...changed(newSon, owner, [1, 2]), ...kept });
      assert.deepEqual(vectorsOf(storedParent), {});
      assert.deepEqual(dense(storedChild), newVector);
    }
    assert.deepEqual(await wordsFind(bench, owner, 'new child'), [son.id]);
    assert.deepEqual(await wordsFind(bench, owner, 'alpha'), []);
  },

  'write: describes points without touching their vectors or keys of others, and null removes a key': async (
    bench,
  ) => {
    const owner = await bench.newOwner();
    const { son, vector } = await sharedFamily(bench, owner);
    const described = { ...son, tenant: null, copied: { title: null } };
    await write(bench, owner, [{ action: 'describe', point: described, seen: son.checksum }]);
    const [stored] = await retrieve(bench, owner, [son]);
    const payload: Record<string, unknown> = { ...stored?.payload };
    assert.deepEqual({ ...payload }, { ...changed(described, owner, [1, 2]), likes: 3 });
    assert.ok(!('title' in payload) && !('member_code' in payload));
    assert.deepEqual(dense(stored), vector);
    assert.equal(pointHash(payload, ['title']), payload.point_hash);
    const heads = await scanAll(bench, owner, EVERYTHING, ['title']);
    const head = heads.find(({ id }) => id === son.id);
    assert.deepEqual([head?.tenant, head?.copied], [null, { title: null }]);
    assert.deepEqual(await wordsFind(bench, owner, 'alpha'), [son.id]);
  },

  'write: shows a replacement that was cut off, and mends it when it is repeated': async (bench) => {
    const owner = await bench.newOwner();
    const { child: son, vector } = family(1n);
    await write(bench, owner, creations([son], new Map([[son, vector]]), [1]));
    const point = { ...son, text: 'new' };
    const change: PointWrite = { action: 'replace', point, seen: son.checksum, vector: unitVector() };
    // A server that is killed within a batch: it applies the first operations only, and then the connection breaks.
    for (const operations of [1, 2]) {
      const proxy = await startProxy(bench.settings, {
        request: ({ body }) => {
          const whole = JSON.parse(body) as Schemas['UpdateOperations'];
          return JSON.stringify({ operations: whole.operations.slice(0, operations) });
        },
        breaksOff: true,
      });
      const cut = createQdrantTarget({ ...bench.settings, QDRANT_URL: proxy.url });
      await rejectsWith('target_unavailable', cut.write(owner, JOB, DEFAULT_BM25, [change], signal));
      await proxy.close();
      const [head] = await scanAll(bench, owner);
      assert.deepEqual([head?.isUnfinished, head?.collectionIds], [true, [1]]);
      await write(bench, owner, [change]);
      const [mended] = await scanAll(bench, owner);
      assert.deepEqual([mended?.checksum, mended?.isUnfinished], [son.checksum, false]);
    }
  },

  'write: mends a replacement that was cut off, whichever comes next': async (bench) => {
    const owner = await bench.newOwner();
    const { child: son, vector } = family(1n);
    await write(bench, owner, creations([son], new Map([[son, vector]]), [1]));
    const [begun] = await operationsOf(bench, owner, version(son, 'cut off', son.checksum));
    await bench.raw.batchUpdate(owner.collection, { operations: [begun!], wait: true });
    const seen = (await scanAll(bench, owner))[0]?.checksum ?? null;
    const next = version(son, 'next', seen);
    await write(bench, owner, [next]);
    assert.equal((await scanAll(bench, owner))[0]?.checksum, next.point.checksum);
  },

  'write: keeps text and vectors together, however two requests for a point run into each other': async (
    bench,
  ) => {
    const owner = await bench.newOwner();
    for (const [index, order] of orders(3, 3).entries()) {
      const { child: son, vector } = family(BigInt(index));
      await write(bench, owner, creations([son], new Map([[son, vector]])));
      const versions = ['one', 'two'].map((text) => version(son, text, son.checksum));
      const left = await Promise.all(versions.map((change) => operationsOf(bench, owner, change)));
      for (const which of order) {
        const operations = left[which]!.splice(0, 1);
        await bench.raw.batchUpdate(owner.collection, { operations, wait: true });
      }
      const [stored] = await retrieve(bench, owner, [son]);
      const [head] = await scanAll(bench, owner, { after: son.recordId - 1n, upTo: son.recordId });
      const whole = versions.find(({ point }) => point.text === stored?.payload?.text);
      assert.deepEqual(
        [head?.checksum, head?.isUnfinished, dense(stored)],
        [whole?.point.checksum, false, whole?.vector],
        order.join(),
      );
    }
  },

  'write: applies mixed changes in order, in more than one request': async (bench) => {
    const owner = await bench.newOwner();
    const points = Array.from({ length: 400 }, (_, index) => family(BigInt(index)));
    const writes = points.flatMap(({ child: son, vector }): PointWrite[] => [
      { action: 'create', point: son, vector, collectionIds: null },
      { action: 'describe', point: { ...son, tenant: 'later' }, seen: son.checksum },
      { action: 'replace', point: { ...son, text: `last ${son.recordId}` }, seen: son.checksum, vector },
    ]);
    await write(bench, owner, writes);
    const ids = points.map(({ child: son }) => son.id);
    const stored = await bench.target.texts(owner.collection, ids, signal);
    assert.deepEqual(
      [...stored.values()].sort(),
      points.map(({ child: son }) => `last ${son.recordId}`).sort(),
    );
  },

  'write: takes children without a single word': async (bench) => {
    const owner = await bench.newOwner();
    const { child: son, vector } = family(1n);
    for (const text of ['。。。', 'the and of', '😀', ' ']) {
      const point = { ...son, text };
      await write(bench, owner, creations([point], new Map([[point, vector]])));
      assert.deepEqual(dense((await retrieve(bench, owner, [son]))[0]), vector);
    }
  },

  'write: asks for another look when a point to change has gone': async (bench) => {
    const owner = await bench.newOwner();
    const { child: son, vector } = family(1n);
    const change: PointWrite = { action: 'replace', point: son, seen: son.checksum, vector };
    await rejectsWith('unexpected', write(bench, owner, [change]));
  },

  'write: leaves points alone that somebody else has changed since they were seen': async (bench) => {
    const owner = await bench.newOwner();
    const { child: son, vector } = family(1n);
    const later = { ...son, text: 'later', checksum: 'e'.repeat(64) };
    const outdated = { ...son, text: 'outdated', checksum: 'd'.repeat(64) };
    const seen = 'c'.repeat(64);
    await write(bench, owner, creations([later], new Map([[later, vector]]), [1]));
    const [before] = await retrieve(bench, owner, [son]);
    await write(bench, owner, creations([outdated], new Map([[outdated, unitVector()]])));
    await write(bench, owner, [{ action: 'replace', point: outdated, seen, vector: unitVector() }]);
    await write(bench, owner, [{ action: 'describe', point: outdated, seen }]);
    await bench.target.delete(owner.collection, [{ id: son.id, checksum: seen }], signal);
    assert.deepEqual(await retrieve(bench, owner, [son]), [before]);
    assert.deepEqual(await wordsFind(bench, owner, 'outdated'), []);
  },

  'write: goes over points that an interrupted change has left without a checksum': async (bench) => {
    const owner = await bench.newOwner();
    const { child: son, vector } = family(1n);
    for (const interrupted of [{ checksum: '' }, { checksum: null }]) {
      await write(bench, owner, creations([son], new Map([[son, vector]])));
      await bench.raw.setPayload(owner.collection, { payload: interrupted, points: [son.id], wait: true });
      const point = { ...son, text: 'mended', checksum: 'd'.repeat(64) };
      await write(bench, owner, [{ action: 'replace', point, seen: null, vector }]);
      assert.equal((await scanAll(bench, owner))[0]?.checksum, point.checksum);
      await bench.raw.setPayload(owner.collection, { payload: interrupted, points: [son.id], wait: true });
      await bench.target.delete(owner.collection, [{ id: son.id, checksum: null }], signal);
      assert.deepEqual(await scanAll(bench, owner), []);
    }
  },

  'write: says what it was refused for, without the content of a row': async (bench) => {
    const owner = await bench.newOwner();
    const point = { ...family(1n).child, text: 'Confidential' };
    const refused = write(bench, owner, creations([point], new Map([[point, [1, 2, 3]]])));
    const fault = await rejectsWith('target_refused', refused);
    assert.match(fault.message, /dimension/i);
    assert.doesNotMatch(fault.message, /Confidential/);
  },

  'delete: removes the points named and no others': async (bench) => {
    const owner = await bench.newOwner();
    const points = Array.from({ length: 1_200 }, (_, index) => parent(BigInt(index)));
    await write(bench, owner, creations(points));
    const gone = points.slice(100);
    await bench.target.delete(owner.collection, gone, signal);
    await bench.target.delete(owner.collection, gone, signal);
    const kept = points.slice(0, 100).map(({ id }) => id);
    assert.deepEqual((await scanAll(bench, owner)).map(({ id }) => id).sort(), kept.sort());
  },
};
