import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { QdrantClient, type Schemas } from '@qdrant/js-client-rest';
import { Fault } from '../../src/errors.ts';
import type { IdRange } from '../../src/source/source.ts';
import { definition, INDEXES } from '../../src/target/collection-schema.ts';
import { PAYLOAD_KEYS, pointHash, pointPayload } from '../../src/target/payload.ts';
import { createQdrantTarget } from '../../src/target/qdrant.ts';
import { DEFAULT_BM25, targetSettings, type TargetSettings } from '../../src/target/settings.ts';
import type {
  CollectionSpec,
  Point,
  PointHead,
  PointOwner,
  PointPage,
  PointWrite,
  PreparedCollection,
  ScanCursor,
  Target,
} from '../../src/target/target.ts';
import { testStack } from '../support/stack.ts';

const DIMENSIONS = 64;
const JOB = '0199d7a4-3c1e-7a55-8b1a-2f4c9e0d1a22';
const EVERYTHING: IdRange = { after: -(2n ** 63n), upTo: 2n ** 63n - 1n };
/** Near 1.8e18 doubles lie 256 apart. */
const SNOWFLAKE = 1_789_000_000_123_456_789n;

/** Of all collections of this file: the server is shared. */
const PREFIX = `target-${randomUUID().slice(0, 8)}`;

let settings: TargetSettings;
let target: Target;
let raw: QdrantClient;
let shared: Promise<PreparedCollection> | undefined;
const { signal } = new AbortController();

before(() => {
  settings = targetSettings.parse(testStack().environment());
  target = createQdrantTarget(settings);
  raw = new QdrantClient({
    url: settings.QDRANT_URL,
    headers: { 'api-key': settings.QDRANT_API_KEY },
    checkCompatibility: false,
  });
});
after(async () => {
  for (const { name } of (await raw.getCollections()).collections) {
    if (name.startsWith(PREFIX)) {
      await raw.deleteCollection(name);
    }
  }
});

describe('prepare', () => {
  it('creates collection, indexes and alias, and then changes nothing', async () => {
    const spec = newSpec();
    const first = await target.prepare(spec, signal);
    assert.equal(first.collection, `${spec.name}_v1`);
    assert.match(first.notes.join('\n'), /created/);

    const info = await raw.getCollection(spec.name);
    assert.deepEqual(indexTypes(info), indexTypesExpected());
    assert.equal((info.payload_schema.member_code?.params as Schemas['KeywordIndexParams']).is_tenant, true);
    assert.deepEqual(info.config.metadata, {
      vector_ferry: { model: spec.model, dimensions: DIMENSIONS, bm25: spec.bm25 },
    });

    assert.deepEqual(await target.prepare(spec, signal), { collection: first.collection, notes: [] });
    assert.deepEqual((await raw.getCollection(spec.name)).payload_schema, info.payload_schema);
  });

  it('creates binary quantization on request', async () => {
    const spec = { ...newSpec(), binaryQuantization: true };
    const { collection } = await target.prepare(spec, signal);
    const { vectors } = (await raw.getCollection(collection)).config.params;
    const child = (vectors as Record<string, Schemas['VectorParams']>).child;
    assert.ok('binary' in (child?.quantization_config ?? {}));
    await target.prepare(spec, signal);
  });

  it('goes on wherever it was killed', async () => {
    for (const indexes of [0, 3, Object.keys(INDEXES).length]) {
      const spec = newSpec();
      const collection = `${spec.name}_v1`;
      await raw.createCollection(collection, definition(spec));
      for (const [field_name, field_schema] of Object.entries(INDEXES).slice(0, indexes)) {
        await raw.createPayloadIndex(collection, { wait: true, field_name, field_schema });
      }
      assert.equal((await target.prepare(spec, signal)).collection, collection);
      assert.deepEqual(indexTypes(await raw.getCollection(spec.name)), indexTypesExpected());
    }
  });

  it('leaves a collection alone that merely has the next name', async () => {
    const spec = newSpec();
    await raw.createCollection(`${spec.name}_v1`, { vectors: { size: 3, distance: 'Dot' } });
    await raw.createCollection(`${spec.name}_v2`, definition(spec));
    await setAlias(`${spec.name}-elsewhere`, `${spec.name}_v2`);
    assert.equal((await target.prepare(spec, signal)).collection, `${spec.name}_v3`);
    assert.deepEqual((await raw.getCollection(`${spec.name}_v1`)).payload_schema, {});
  });

  it('runs on several hosts at once', async () => {
    const spec = newSpec();
    const all = await Promise.all(Array.from({ length: 6 }, () => target.prepare(spec, signal)));
    assert.deepEqual(new Set(all.map(({ collection }) => collection)), new Set([`${spec.name}_v1`]));
    assert.deepEqual(indexTypes(await raw.getCollection(spec.name)), indexTypesExpected());
  });

  it('uses a plain collection as it is, adds what it lacks and records its metadata', async () => {
    const spec = newSpec();
    const bare = definition(spec);
    await raw.createCollection(spec.name, {
      ...bare,
      vectors: { ...(bare.vectors as object), title: { size: 3, distance: 'Dot' } },
      metadata: { owner: 'search team' },
    });
    const tenants = { type: 'keyword', is_tenant: true } as const;
    await raw.createPayloadIndex(spec.name, { wait: true, field_name: 'member_code', field_schema: tenants });
    await raw.createPayloadIndex(spec.name, { wait: true, field_name: 'likes', field_schema: 'integer' });
    await raw.upsert(spec.name, { points: [{ id: 1, vector: {}, payload: { likes: 3 } }] });

    const { collection, notes } = await target.prepare(spec, signal);
    assert.equal(collection, spec.name);
    assert.match(notes.join('\n'), /metadata/);
    assert.match(notes.join('\n'), /held 1 points before/);
    const info = await raw.getCollection(spec.name);
    assert.deepEqual(indexTypes(info), { ...indexTypesExpected(), likes: 'integer' });
    assert.equal((info.payload_schema.member_code?.params as Schemas['KeywordIndexParams']).is_tenant, true);
    assert.equal(info.config.metadata?.owner, 'search team');
    assert.deepEqual(await target.prepare(spec, signal), { collection, notes: [] });
  });

  it('refuses before anything is written, and names each difference', async () => {
    const spec = newSpec();
    await raw.createCollection(spec.name, {
      vectors: { child: { size: 3, distance: 'Dot' } },
      sparse_vectors: { 'child-sparse': {} },
      metadata: {
        vector_ferry: {
          model: 'other-model',
          dimensions: 3,
          bm25: { ...spec.bm25, tokenizer: 'word', avg_len: 256 },
        },
      },
    });
    await raw.createPayloadIndex(spec.name, {
      wait: true,
      field_name: 'summary_id',
      field_schema: 'keyword',
    });
    const before = await raw.getCollection(spec.name);
    const message = await refusal(spec);
    for (const part of [
      'size of vector child is 3, expected 64',
      'distance of vector child is Dot, expected Cosine',
      'modifier of sparse vector child-sparse is missing, expected idf',
      'embedding model of its points is other-model, expected test-embedding',
      'dimensions in its metadata is 3, expected 64',
      'BM25 option tokenizer is word, expected multilingual',
      'BM25 option avg_len is 256, expected 128',
      'type of payload index summary_id is keyword, expected integer',
    ]) {
      assert.ok(message.includes(part), `${part} in ${message}`);
    }
    assert.equal(message.split('; ').length, 9, 'the eight above; the code itself has one semicolon');
    assert.deepEqual(await raw.getCollection(spec.name), before);
  });

  it('refuses other vector names', async () => {
    const unnamed = newSpec();
    await raw.createCollection(unnamed.name, { vectors: { size: DIMENSIONS, distance: 'Cosine' } });
    assert.match(await refusal(unnamed), /dense vectors are a single unnamed one, expected one named child/);
    const named = newSpec();
    await raw.createCollection(named.name, {
      vectors: { title: { size: 3, distance: 'Dot' } },
      sparse_vectors: { words: { modifier: 'idf' } },
    });
    const message = await refusal(named);
    assert.match(message, /dense vectors are title, expected one named child/);
    assert.match(message, /sparse vectors are words, expected one named child-sparse/);
  });

  it('refuses another model behind the alias that it made itself', async () => {
    const spec = newSpec();
    await target.prepare(spec, signal);
    assert.match(await refusal({ ...spec, model: 'newer' }), /is test-embedding, expected newer/);
    assert.match(
      await refusal({ ...spec, bm25: { ...spec.bm25, k: 2 } }),
      /BM25 option k is 1.2, expected 2/,
    );
  });
});

describe('scan', () => {
  it('finds exactly the ids of a range beyond 2^53, of this owner only', async () => {
    const owner = await newOwner();
    const ids = Array.from({ length: 600 }, (_, index) => SNOWFLAKE + BigInt(index));
    const extremes = [-(2n ** 63n) + 1n, -5n, 0n, 7n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n];
    await create(
      owner,
      [...ids, ...extremes].map((id) => parent(id)),
    );
    await create({ ...owner, source: 'crm/other' }, [parent(SNOWFLAKE + 5n)]);

    const scanned = async (range: IdRange) =>
      (await scanAll(target, owner, range, [], signal)).map((head) => head.recordId).sort(ascending);
    assert.deepEqual(await scanned({ after: ids[99]!, upTo: ids[199]! }), ids.slice(100, 200));
    assert.deepEqual(await scanned({ after: ids[6]!, upTo: ids[7]! }), [ids[7]]);
    assert.deepEqual(await scanned({ after: 2n ** 53n, upTo: 2n ** 53n + 1n }), [2n ** 53n + 1n]);
    assert.deepEqual(await scanned({ after: 2n ** 63n - 2n, upTo: 2n ** 63n - 1n }), [2n ** 63n - 1n]);
    assert.deepEqual(await scanned({ after: -6n, upTo: 0n }), [-5n, 0n]);
    assert.deepEqual(await scanned({ after: -(2n ** 63n), upTo: -5n }), [-(2n ** 63n) + 1n, -5n]);
    assert.deepEqual(await scanned({ after: 5n, upTo: 5n }), []);
    assert.deepEqual(await scanned(EVERYTHING), [...ids, ...extremes].sort(ascending));
  });

  it('reads more than a page', async () => {
    const owner = await newOwner();
    await create(
      owner,
      Array.from({ length: 2_500 }, (_, index) => parent(BigInt(index))),
    );
    assert.equal((await scanAll(target, owner, EVERYTHING, [], signal)).length, 2_500);
    assert.equal((await scanAll(target, owner, { after: 9n, upTo: 1_509n }, [], signal)).length, 1_500);
  });

  it('reads heads with exact copied values, whatever a column is called', async () => {
    const owner = await newOwner();
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
    await create(owner, [point], [4, 5]);
    assert.deepEqual(await scanAll(target, owner, EVERYTHING, Object.keys(copied), signal), [
      {
        id: point.id,
        recordId: SNOWFLAKE,
        type: 'parent',
        checksum: point.checksum,
        pointCount: 1,
        tenant: 'M-7',
        copied,
        collectionIds: [4, 5],
      },
    ]);
  });

  it('says which collection is missing', async () => {
    const owner = { collection: 'gone', source: 'crm/memo' };
    await rejectsWith('target_collection_missing', scanAll(target, owner, EVERYTHING, [], signal));
    await rejectsWith('target_collection_missing', create(owner, [parent(1n)]));
  });
});

describe('write', () => {
  it('creates parents and children that read back as they were', async () => {
    const owner = await newOwner();
    const { parent: father, child: son, vector } = family(SNOWFLAKE);
    await write(owner, [
      { action: 'create', point: father, vector: null, collectionIds: [9] },
      { action: 'create', point: son, vector, collectionIds: null },
    ]);
    const [storedParent, storedChild] = await retrieve(owner, [father, son]);
    assert.deepEqual(storedParent?.payload, created(father, owner, [9]));
    assert.deepEqual(storedChild?.payload, created(son, owner, null));
    assert.deepEqual(storedParent?.vector, {});
    assert.deepEqual(Object.keys(storedChild?.vector ?? {}).sort(), ['child', 'child-sparse']);
    assert.deepEqual(Object.keys(storedChild?.payload ?? {}).sort(), [...PAYLOAD_KEYS, 'title'].sort());
    assert.equal(pointHash(storedChild?.payload ?? {}, ['title']), storedChild?.payload?.point_hash);
  });

  it('returns texts, and vectors bit by bit', async () => {
    const owner = await newOwner();
    const families = Array.from({ length: 230 }, (_, index) => family(BigInt(index)));
    await write(
      owner,
      families.flatMap(({ parent: father, child: son, vector }) => [
        { action: 'create', point: father, vector: null, collectionIds: null } as const,
        { action: 'create', point: son, vector, collectionIds: null } as const,
      ]),
    );
    const ids = families.flatMap(({ parent: father, child: son }) => [father.id, son.id]);
    const asked = [...ids, randomUUID()];
    const vectors = await target.vectors(owner.collection, asked, signal);
    assert.equal(vectors.size, families.length);
    for (const { child: son, vector } of families) {
      assert.deepEqual(vectors.get(son.id)?.map(Math.fround), vector);
    }
    const texts = await target.texts(owner.collection, asked, signal);
    assert.equal(texts.size, ids.length);
    for (const { child: son } of families) {
      assert.equal(texts.get(son.id), son.text);
    }
  });

  it('replaces and describes without touching collection_ids or keys of others', async () => {
    const owner = await newOwner();
    const { parent: father, child: son, vector } = family(1n);
    await write(owner, [
      { action: 'create', point: father, vector: null, collectionIds: [1] },
      { action: 'create', point: son, vector, collectionIds: [1] },
    ]);
    await raw.setPayload(owner.collection, {
      points: [father.id, son.id],
      payload: { likes: 3, collection_ids: [1, 2] },
    });

    const newVector = unitVector();
    const newFather = { ...father, text: 'new parent', checksum: 'd'.repeat(64) };
    const newSon = { ...son, text: 'new child', checksum: 'd'.repeat(64), tenant: 'M-8' };
    const replace: PointWrite[] = [
      { action: 'replace', point: newFather, vector: null },
      { action: 'replace', point: newSon, vector: newVector },
    ];
    for (const repeated of [1, 2]) {
      await write(owner, replace);
      const [storedParent, storedChild] = await retrieve(owner, [father, son]);
      assert.deepEqual(
        storedParent?.payload,
        { ...changed(newFather, owner, [1, 2]), likes: 3 },
        `time ${repeated}`,
      );
      assert.deepEqual(storedChild?.payload, { ...changed(newSon, owner, [1, 2]), likes: 3 });
      assert.deepEqual(storedParent?.vector, {});
      assert.deepEqual(dense(storedChild), newVector);
    }

    const described = { ...newSon, tenant: null, copied: { title: null } };
    await write(owner, [{ action: 'describe', point: described }]);
    const [storedChild] = await retrieve(owner, [son]);
    assert.deepEqual(storedChild?.payload, { ...changed(described, owner, [1, 2]), likes: 3 });
    assert.deepEqual(dense(storedChild), newVector);
    const heads = await scanAll(target, owner, EVERYTHING, ['title'], signal);
    const head = heads.find(({ id }) => id === son.id);
    assert.deepEqual([head?.tenant, head?.copied], [null, { title: null }]);
    const payload: Record<string, unknown> = storedChild?.payload ?? {};
    assert.equal(pointHash(payload, ['title']), payload.point_hash);
    assert.deepEqual(await wordsFind(owner, 'new child'), [son.id]);
    assert.deepEqual(await wordsFind(owner, 'alpha'), []);
  });

  it('shows a change that was cut off, and mends it when it is repeated', async () => {
    const owner = await newOwner();
    const { child: son, vector } = family(1n);
    await write(owner, [{ action: 'create', point: son, vector, collectionIds: [1] }]);
    const change: PointWrite = { action: 'replace', point: { ...son, text: 'new' }, vector: unitVector() };
    // The proxy passes on only the first operations of the request.
    for (const operations of [1, 2]) {
      const proxy = await startCuttingProxy(operations);
      const cut = createQdrantTarget({ ...settings, QDRANT_URL: proxy.url });
      await rejectsWith('target_unavailable', cut.write(owner, JOB, DEFAULT_BM25, [change], signal));
      await proxy.stop();
      const [head] = await scanAll(target, owner, EVERYTHING, [], signal);
      assert.equal(head?.checksum, null);
      assert.deepEqual(head?.collectionIds, [1]);
      await write(owner, [change]);
      assert.equal((await scanAll(target, owner, EVERYTHING, [], signal))[0]?.checksum, son.checksum);
    }
  });

  it('applies mixed changes in order, in more than one request', async () => {
    const owner = await newOwner();
    const points = Array.from({ length: 400 }, (_, index) => family(BigInt(index)));
    const writes = points.flatMap(({ child: son, vector }): PointWrite[] => [
      { action: 'create', point: son, vector, collectionIds: null },
      { action: 'describe', point: { ...son, tenant: 'later' } },
      { action: 'replace', point: { ...son, text: `last ${son.recordId}` }, vector },
    ]);
    await write(owner, writes);
    const stored = await target.texts(
      owner.collection,
      points.map(({ child: son }) => son.id),
      signal,
    );
    assert.deepEqual(
      [...stored.values()].sort(),
      points.map(({ child: son }) => `last ${son.recordId}`).sort(),
    );
  });

  it('takes children without a single word', async () => {
    const owner = await newOwner();
    const { child: son, vector } = family(1n);
    for (const text of ['。。。', 'the and of', '😀', ' ']) {
      await write(owner, [{ action: 'create', point: { ...son, text }, vector, collectionIds: null }]);
      assert.deepEqual(dense((await retrieve(owner, [son]))[0]), vector);
    }
  });

  it('asks for another look when a point to change has gone', async () => {
    const owner = await newOwner();
    const { child: son, vector } = family(1n);
    await rejectsWith('unexpected', write(owner, [{ action: 'replace', point: son, vector }]));
  });

  it('says what it was refused for, without the content of a row', async () => {
    const owner = await newOwner();
    const { child: son } = family(1n);
    const point = { ...son, text: 'Confidential' };
    const fault = await rejectsWith(
      'target_refused',
      write(owner, [{ action: 'create', point, vector: [1, 2, 3], collectionIds: null }]),
    );
    assert.match(fault.message, /dimension/i);
    assert.doesNotMatch(fault.message, /Confidential/);
  });

  it('deletes the points named and no others', async () => {
    const owner = await newOwner();
    const points = Array.from({ length: 1_200 }, (_, index) => parent(BigInt(index)));
    await create(owner, points);
    const gone = points.slice(100).map(({ id }) => id);
    await target.delete(owner.collection, gone, signal);
    await target.delete(owner.collection, gone, signal);
    assert.equal((await scanAll(target, owner, EVERYTHING, [], signal)).length, 100);
  });
});

describe('search', () => {
  it('finds by words and by meaning, in Chinese and English, of one owner and tenant', async () => {
    const owner = await newOwner();
    const texts = [
      '季度会议纪要：市场部讨论了明年的预算安排',
      'Minutes of the quarterly budget meeting',
      '今天天气很好，我们去公园散步',
      'The ferry leaves the harbour at noon',
    ];
    const children = texts.map((text, index) => {
      const { child: son } = family(SNOWFLAKE + BigInt(index));
      return { ...son, text, tenant: index < 2 ? 'M-1' : 'M-2' };
    });
    const vectors = children.map(() => unitVector());
    const writes = children.map((point, index): PointWrite => ({
      action: 'create',
      point,
      vector: vectors[index]!,
      collectionIds: null,
    }));
    await write(owner, writes);
    await write({ ...owner, source: 'crm/other' }, [
      {
        action: 'create',
        point: { ...children[0]!, id: randomUUID() },
        vector: vectors[0]!,
        collectionIds: null,
      },
    ]);

    assert.deepEqual(await wordsFind(owner, '预算'), [children[0]!.id]);
    assert.deepEqual(await wordsFind(owner, '公园'), [children[2]!.id]);
    assert.deepEqual(await wordsFind(owner, 'meetings'), [children[1]!.id]);
    assert.deepEqual(await wordsFind(owner, 'harbour', 'M-1'), []);
    assert.deepEqual(await wordsFind(owner, 'the'), []);

    const query = { text: 'harbour', vector: vectors[3]!, limit: 2 };
    const [best, ...others] = await target.search(owner, query, signal);
    assert.equal(others.length, 1);
    assert.equal(best?.id, children[3]!.id);
    assert.equal(best?.recordId, SNOWFLAKE + 3n);
    assert.equal(best?.text, texts[3]);
    assert.ok(best.score > others[0]!.score);
    const ofTenant = await target.search(owner, { ...query, limit: 10, tenant: 'M-1' }, signal);
    assert.deepEqual(ofTenant.map(({ id }) => id).sort(), [children[0]!.id, children[1]!.id].sort());
  });
});

describe('connection', () => {
  it('explains a wrong key', async () => {
    for (const QDRANT_API_KEY of ['wrong', undefined]) {
      const denied = createQdrantTarget({ ...settings, QDRANT_API_KEY });
      await rejectsWith('target_access_denied', denied.prepare(newSpec(), signal));
    }
  });

  it('explains a server that is not there', async () => {
    const dead = createQdrantTarget({ ...settings, QDRANT_URL: 'http://127.0.0.1:1' });
    await rejectsWith('target_unavailable', dead.prepare(newSpec(), signal));
  });

  it('stops when told to, with the reason as it is', async () => {
    const reason = new Error('shutdown');
    await assert.rejects(target.prepare(newSpec(), AbortSignal.abort(reason)), (error) => error === reason);
  });
});

function newSpec(): CollectionSpec {
  return {
    name: `${PREFIX}-${randomUUID().slice(0, 8)}`,
    model: 'test-embedding',
    dimensions: DIMENSIONS,
    bm25: DEFAULT_BM25,
    binaryQuantization: false,
  };
}

/** An owner without points; all share one collection, as tables do. */
async function newOwner(): Promise<PointOwner> {
  shared ??= target.prepare(newSpec(), signal);
  return { collection: (await shared).collection, source: `crm/${randomUUID()}` };
}

function parent(recordId: bigint): Point {
  return {
    id: randomUUID(),
    recordId,
    tenant: null,
    type: 'parent',
    parentIndex: 0,
    chunkIndex: null,
    parentId: null,
    text: `parent ${recordId}`,
    checksum: 'c'.repeat(64),
    pointCount: 1,
    copied: {},
  };
}

/** A record of one parent and one child, with a copied column. */
function family(recordId: bigint): { parent: Point; child: Point; vector: number[] } {
  const father: Point = { ...parent(recordId), pointCount: 2, tenant: 'M-1', copied: { title: 'Q3' } };
  const child: Point = {
    ...father,
    id: randomUUID(),
    type: 'child',
    chunkIndex: 0,
    parentId: father.id,
    text: `alpha child ${recordId}`,
  };
  return { parent: father, child, vector: unitVector() };
}

/** As an embedding service gives it: of length 1, in 32-bit floats. */
function unitVector(): number[] {
  const values = Array.from({ length: DIMENSIONS }, () => Math.random() - 0.5);
  const length = Math.hypot(...values);
  return values.map((value) => Math.fround(value / length));
}

async function create(
  owner: PointOwner,
  points: readonly Point[],
  collectionIds: unknown = null,
): Promise<void> {
  await write(
    owner,
    points.map((point): PointWrite => ({ action: 'create', point, vector: null, collectionIds })),
  );
}

async function write(owner: PointOwner, writes: readonly PointWrite[]): Promise<void> {
  await target.write(owner, JOB, DEFAULT_BM25, writes, signal);
}

async function retrieve(owner: PointOwner, points: readonly Point[]): Promise<Schemas['Record'][]> {
  const ids = points.map(({ id }) => id);
  const records = await raw.retrieve(owner.collection, { ids, with_payload: true, with_vector: true });
  return ids.map((id) => records.find((record) => record.id === id)!);
}

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

function dense(record: Schemas['Record'] | undefined): number[] {
  return (record?.vector as Record<string, number[]>).child!.map(Math.fround);
}

async function wordsFind(owner: PointOwner, text: string, tenant?: string): Promise<string[]> {
  const query = { text, vector: null, limit: 10, ...(tenant === undefined ? {} : { tenant }) };
  return (await target.search(owner, query, signal)).map(({ id }) => id);
}

async function setAlias(alias_name: string, collection_name: string): Promise<void> {
  await raw.updateCollectionAliases({ actions: [{ create_alias: { alias_name, collection_name } }] });
}

function indexTypes(info: Schemas['CollectionInfo']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(info.payload_schema).map(([field, index]) => [field, index?.data_type]),
  );
}

function indexTypesExpected(): Record<string, unknown> {
  return Object.fromEntries(Object.entries(INDEXES).map(([field, schema]) => [field, schema.type]));
}

async function refusal(spec: CollectionSpec): Promise<string> {
  return (await rejectsWith('target_incompatible', target.prepare(spec, signal))).message;
}

async function rejectsWith(code: string, promise: Promise<unknown>): Promise<Fault> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Fault, `expected ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Stands for a server that is killed within a batch: it applies the first operations only and then breaks off. */
async function startCuttingProxy(operations: number): Promise<{ url: string; stop: () => Promise<void> }> {
  const proxy = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const body = JSON.parse(text) as Schemas['UpdateOperations'];
      const cut = JSON.stringify({ operations: body.operations.slice(0, operations) });
      const headers = { 'api-key': settings.QDRANT_API_KEY ?? '', 'content-type': 'application/json' };
      void fetch(settings.QDRANT_URL + request.url!, { method: 'POST', headers, body: cut }).then(
        (reply) => (assert.equal(reply.status, 200), response.destroy()),
      );
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    stop: () => new Promise((resolve) => proxy.close(() => resolve())),
  };
}

/** All pages of a scan. */
async function scanAll(
  target: Target,
  owner: PointOwner,
  range: IdRange,
  copiedColumns: readonly string[],
  signal: AbortSignal,
): Promise<PointHead[]> {
  const heads: PointHead[] = [];
  let cursor: ScanCursor | null = null;
  do {
    const page: PointPage = await target.scan(owner, range, copiedColumns, cursor, signal);
    heads.push(...page.heads);
    cursor = page.next;
  } while (cursor !== null);
  return heads;
}
