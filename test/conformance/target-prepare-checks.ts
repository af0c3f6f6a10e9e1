import assert from 'node:assert/strict';
import type { Schemas } from '@qdrant/js-client-rest';
import { definition, INDEXES } from '../../src/target/collection-schema.ts';
import type { CollectionSpec } from '../../src/target/target.ts';
import {
  creations,
  DIMENSIONS,
  family,
  rejectsWith,
  settled,
  signal,
  write,
  type TargetBench,
} from './target-bench.ts';
import type { TargetChecks } from './target-suite.ts';

/** A difference of a collection that exists, and how it is named. */
interface Difference {
  readonly name: string;
  readonly change: (
    created: Schemas['CreateCollection'],
    spec: CollectionSpec,
  ) => Schemas['CreateCollection'];
  readonly message: RegExp;
}

const DENSE = { size: DIMENSIONS, distance: 'Cosine' } as const;

function withDense(vector: Schemas['VectorParams']): Difference['change'] {
  return (created) => ({ ...created, vectors: { child: vector } });
}

function withOrigin(changed: object): Difference['change'] {
  return (created, { model, dimensions, bm25 }) => ({
    ...created,
    metadata: { vector_ferry: { model, dimensions, bm25, ...changed } },
  });
}

function withBm25(changed: object): Difference['change'] {
  return (created, spec) => withOrigin({ bm25: { ...spec.bm25, ...changed } })(created, spec);
}

const DIFFERENCES: readonly Difference[] = [
  {
    name: 'size',
    change: withDense({ ...DENSE, size: 3 }),
    message: /size of vector child is 3, expected 64/,
  },
  {
    name: 'distance',
    change: withDense({ ...DENSE, distance: 'Dot' }),
    message: /distance of vector child is Dot, expected Cosine/,
  },
  {
    name: 'dense vector name',
    change: (created) => ({ ...created, vectors: { title: DENSE } }),
    message: /dense vectors are title, expected one named child/,
  },
  {
    name: 'unnamed vector',
    change: (created) => ({ ...created, vectors: DENSE }),
    message: /dense vectors are a single unnamed one, expected one named child/,
  },
  {
    name: 'sparse vector name',
    change: (created) => ({ ...created, sparse_vectors: { words: { modifier: 'idf' } } }),
    message: /sparse vectors are words, expected one named child-sparse/,
  },
  {
    name: 'modifier',
    change: (created) => ({ ...created, sparse_vectors: { 'child-sparse': {} } }),
    message: /modifier of sparse vector child-sparse is missing, expected idf/,
  },
  {
    name: 'model',
    change: withOrigin({ model: 'other-model' }),
    message: /embedding model of its points is other-model, expected test-embedding/,
  },
  {
    name: 'dimensions in metadata',
    change: withOrigin({ dimensions: 3 }),
    message: /dimensions in its metadata is 3, expected 64/,
  },
  {
    name: 'BM25 tokenizer',
    change: withBm25({ tokenizer: 'word' }),
    message: /BM25 option tokenizer is word, expected multilingual/,
  },
  {
    name: 'BM25 language',
    change: withBm25({ language: 'german' }),
    message: /BM25 option language is german, expected english/,
  },
  { name: 'BM25 k', change: withBm25({ k: 2 }), message: /BM25 option k is 2, expected 1.2/ },
  { name: 'BM25 b', change: withBm25({ b: 0.5 }), message: /BM25 option b is 0.5, expected 0.75/ },
  {
    name: 'BM25 avg_len',
    change: withBm25({ avg_len: 256 }),
    message: /BM25 option avg_len is 256, expected 128/,
  },
];

function indexTypes(info: Schemas['CollectionInfo']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(info.payload_schema).map(([field, index]) => [field, index?.data_type]),
  );
}

const INDEX_TYPES = Object.fromEntries(Object.entries(INDEXES).map(([field, { type }]) => [field, type]));

function isTenantIndex(info: Schemas['CollectionInfo']): boolean {
  return (info.payload_schema.member_code?.params as Schemas['KeywordIndexParams']).is_tenant === true;
}

/** Refused with this message, and nothing changed. */
async function refuses(bench: TargetBench, spec: CollectionSpec, ...messages: RegExp[]) {
  const before = await settled(bench, spec.name);
  const { message } = await rejectsWith('target_incompatible', bench.target.prepare(spec, signal));
  for (const expected of messages) assert.match(message, expected);
  const details = /\((.*)\)$/s.exec(message)?.[1] ?? '';
  assert.equal(details.split('; ').length, messages.length, `no other difference: ${message}`);
  assert.deepEqual(await settled(bench, spec.name), before);
}

export const prepareChecks: TargetChecks = {
  'prepare: creates collection, indexes and alias, and then changes nothing': async ({
    target,
    raw,
    newSpec,
  }) => {
    const spec = newSpec();
    const first = await target.prepare(spec, signal);
    assert.equal(first.collection, `${spec.name}_v1`);
    assert.match(first.notes.join('\n'), /created/);
    const info = await raw.getCollection(spec.name);
    assert.deepEqual(indexTypes(info), INDEX_TYPES);
    assert.deepEqual(info.config.metadata, {
      vector_ferry: { model: spec.model, dimensions: DIMENSIONS, bm25: spec.bm25 },
    });
    assert.deepEqual(await target.prepare(spec, signal), { collection: first.collection, notes: [] });
    assert.deepEqual((await raw.getCollection(spec.name)).payload_schema, info.payload_schema);
  },

  'prepare: keeps the points of a tenant together, also when it is repeated': async ({
    target,
    raw,
    newSpec,
  }) => {
    const spec = newSpec();
    for (const time of [1, 2]) {
      await target.prepare(spec, signal);
      assert.ok(isTenantIndex(await raw.getCollection(spec.name)), `time ${time}`);
    }
  },

  'prepare: creates binary quantization on request': async ({ target, raw, newSpec }) => {
    const spec = { ...newSpec(), binaryQuantization: true };
    const { collection } = await target.prepare(spec, signal);
    const { vectors } = (await raw.getCollection(collection)).config.params;
    const child = (vectors as Record<string, Schemas['VectorParams']>).child;
    assert.ok('binary' in (child?.quantization_config ?? {}));
    await target.prepare(spec, signal);
  },

  'prepare: goes on wherever it was killed': async ({ target, raw, newSpec }) => {
    for (const indexes of [0, 3, Object.keys(INDEXES).length]) {
      const spec = newSpec();
      const collection = `${spec.name}_v1`;
      await raw.createCollection(collection, definition(spec));
      for (const [field_name, field_schema] of Object.entries(INDEXES).slice(0, indexes)) {
        await raw.createPayloadIndex(collection, { wait: true, field_name, field_schema });
      }
      assert.equal((await target.prepare(spec, signal)).collection, collection);
      assert.deepEqual(indexTypes(await raw.getCollection(spec.name)), INDEX_TYPES);
    }
  },

  'prepare: leaves a collection alone that merely has the next name': async ({ target, raw, newSpec }) => {
    const spec = newSpec();
    await raw.createCollection(`${spec.name}_v1`, { vectors: { size: 3, distance: 'Dot' } });
    await raw.createCollection(`${spec.name}_v2`, definition(spec));
    const alias = { alias_name: `${spec.name}-elsewhere`, collection_name: `${spec.name}_v2` };
    await raw.updateCollectionAliases({ actions: [{ create_alias: alias }] });
    assert.equal((await target.prepare(spec, signal)).collection, `${spec.name}_v3`);
    assert.deepEqual((await raw.getCollection(`${spec.name}_v1`)).payload_schema, {});
  },

  'prepare: runs on several hosts at once': async ({ target, raw, newSpec }) => {
    const spec = newSpec();
    const all = await Promise.all(Array.from({ length: 6 }, () => target.prepare(spec, signal)));
    assert.deepEqual(new Set(all.map(({ collection }) => collection)), new Set([`${spec.name}_v1`]));
    assert.deepEqual(indexTypes(await raw.getCollection(spec.name)), INDEX_TYPES);
  },

  'prepare: uses a plain collection as it is, adds what it lacks and records its metadata': async ({
    target,
    raw,
    newSpec,
  }) => {
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
    await raw.upsert(spec.name, { wait: true, points: [{ id: 1, vector: {}, payload: { likes: 3 } }] });

    const { collection, notes } = await target.prepare(spec, signal);
    assert.equal(collection, spec.name);
    assert.match(notes.join('\n'), /metadata/);
    assert.match(notes.join('\n'), /held about 1 points before/);
    const info = await raw.getCollection(spec.name);
    assert.deepEqual(indexTypes(info), { ...INDEX_TYPES, likes: 'integer' });
    assert.ok(isTenantIndex(info));
    assert.equal(info.config.metadata?.owner, 'search team');
    assert.deepEqual(await target.prepare(spec, signal), { collection, notes: [] });
  },

  ...Object.fromEntries(
    DIFFERENCES.map(({ name, change, message }) => [
      `prepare: refuses another ${name}, and names it`,
      async (bench: TargetBench) => {
        const spec = bench.newSpec();
        await bench.raw.createCollection(spec.name, change(definition(spec), spec));
        await refuses(bench, spec, message);
      },
    ]),
  ),

  'prepare: refuses another type of payload index, and names it': async (bench) => {
    const spec = bench.newSpec();
    await bench.raw.createCollection(spec.name, definition(spec));
    await bench.raw.createPayloadIndex(spec.name, {
      wait: true,
      field_name: 'summary_id',
      field_schema: 'keyword',
    });
    await refuses(bench, spec, /type of payload index summary_id is keyword, expected integer/);
  },

  'prepare: leaves an index on parent_id that somebody made as keyword, and groups by it': async (bench) => {
    const spec = bench.newSpec();
    await bench.raw.createCollection(spec.name, definition(spec));
    await bench.raw.createPayloadIndex(spec.name, {
      wait: true,
      field_name: 'parent_id',
      field_schema: 'keyword',
    });
    const { collection } = await bench.target.prepare(spec, signal);
    assert.deepEqual(indexTypes(await bench.raw.getCollection(collection)), {
      ...INDEX_TYPES,
      parent_id: 'keyword',
    });
    const owner = { collection, source: 'crm/memo' };
    const { parent, child, vector } = family(7n);
    await write(bench, owner, creations([parent, child], new Map([[child, vector]])));
    const query = { text: null, vector, limit: 10, tenant: null };
    const [found] = await bench.target.searchParents(owner, query, signal);
    assert.equal(found?.id, parent.id);
  },

  'prepare: names all differences at once, behind an alias as well': async (bench) => {
    const spec = bench.newSpec();
    await bench.target.prepare(spec, signal);
    await refuses(
      bench,
      { ...spec, model: 'newer', bm25: { ...spec.bm25, k: 2 } },
      /is test-embedding, expected newer/,
      /BM25 option k is 1.2, expected 2/,
    );
  },
};
