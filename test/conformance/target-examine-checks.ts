import assert from 'node:assert/strict';
import { definition, INDEXES } from '../../src/target/collection-schema.ts';
import { creations, family, parent, scanAll, settled, signal, write } from './target-bench.ts';
import type { TargetChecks } from './target-suite.ts';

const SOURCE = 'crm/memo';

export const examineChecks: TargetChecks = {
  'examine: says what it is where nothing of the name exists, and creates nothing': async ({
    target,
    raw,
    newSpec,
  }) => {
    const spec = newSpec();
    const { version, capacity, ...found } = await target.examine(spec, SOURCE, signal);
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.deepEqual(found, {
      isSupported: true,
      collection: null,
      isAlias: false,
      differences: [],
      vectorDifferences: [],
      missingIndexes: [],
      hasOrigin: false,
      size: 0,
      points: { own: 0, others: 0, foreign: 0 },
      canWrite: true,
      limits: [],
    });
    if (capacity !== null) {
      // Less than 64 MiB or more than 4 PiB would be a wrong unit.
      for (const bytes of [capacity.memoryBytes, capacity.diskBytes]) {
        assert.ok(bytes > 2 ** 26 && bytes < 2 ** 52, String(bytes));
      }
    }
    const { collections } = await raw.getCollections();
    assert.ok(collections.every(({ name }) => !name.startsWith(spec.name)));
  },

  'examine: looks behind an alias, counts points by owner, and changes nothing': async (bench) => {
    const spec = bench.newSpec();
    const { collection } = await bench.target.prepare(spec, signal);
    const { parent: father, child } = family(1n);
    await write(bench, { collection, source: SOURCE }, creations([father, child]));
    await write(bench, { collection, source: 'crm/note' }, creations([parent(1n), parent(2n), parent(3n)]));
    await bench.raw.upsert(collection, {
      wait: true,
      points: [{ id: 1, vector: {}, payload: { likes: 3 } }],
    });
    const before = await settled(bench, collection);
    const found = await bench.target.examine(spec, SOURCE, signal);
    assert.deepEqual(await settled(bench, collection), before);
    assert.equal(found.collection, collection);
    assert.ok(found.isAlias && found.hasOrigin && found.canWrite === true);
    assert.deepEqual([found.differences, found.missingIndexes], [[], []]);
    assert.deepEqual(
      found.limits.filter(({ isTooLow }) => isTooLow),
      [],
    );
    assert.deepEqual(found.points, { own: 2, others: 3, foreign: 1 });
    assert.equal(found.size, 6);
  },

  'examine: names each difference of a plain collection, and the indexes that it lacks': async ({
    target,
    raw,
    newSpec,
  }) => {
    const spec = newSpec();
    await raw.createCollection(spec.name, {
      vectors: { child: { size: 3, distance: 'Cosine' } },
      sparse_vectors: { 'child-sparse': {} },
    });
    await raw.createPayloadIndex(spec.name, { wait: true, field_name: 'source', field_schema: 'keyword' });
    await raw.upsert(spec.name, { wait: true, points: [{ id: 1, vector: {} }] });
    const found = await target.examine(spec, SOURCE, signal);
    assert.equal(found.collection, spec.name);
    assert.ok(!found.isAlias && !found.hasOrigin);
    assert.equal(found.differences.length, 2);
    assert.match(
      found.differences.join(),
      /size of vector child is 3, expected 64.*modifier of sparse vector/,
    );
    assert.deepEqual(
      [...found.missingIndexes].sort(),
      Object.keys(INDEXES)
        .filter((field) => field !== 'source')
        .sort(),
    );
    assert.deepEqual(found.points, { own: 0, others: 0, foreign: 1 });
  },

  'find: says of the collection what examine says': async ({ target, raw, newSpec }) => {
    const absent = newSpec();
    const behindAlias = newSpec();
    await target.prepare(behindAlias, signal);
    const plain = newSpec();
    await raw.createCollection(plain.name, definition(plain));
    for (const spec of [absent, behindAlias, { ...behindAlias, model: 'newer' }, plain]) {
      const found = await target.find(spec, signal);
      const { collection, isAlias, differences, vectorDifferences } = await target.examine(
        spec,
        SOURCE,
        signal,
      );
      assert.deepEqual(found, { collection, isAlias, differences, vectorDifferences });
    }
    assert.equal((await target.find(absent, signal)).collection, null);
    assert.deepEqual((await target.find(plain, signal)).isAlias, false);
  },

  'find: tells differences of vectors, with which nothing is found, from all others': async ({
    target,
    newSpec,
  }) => {
    const spec = newSpec();
    await target.prepare(spec, signal);
    const others = await target.find({ ...spec, bm25: { ...spec.bm25, k: 2 } }, signal);
    assert.deepEqual([others.differences.length, others.vectorDifferences], [1, []]);
    for (const change of [{ model: 'newer' }, { dimensions: 3 }]) {
      const { differences, vectorDifferences } = await target.find({ ...spec, ...change }, signal);
      assert.ok(differences.length > 0);
      assert.deepEqual(vectorDifferences, differences);
    }
  },

  'examine: lists the limits of strict mode, those first that are too low': async ({
    target,
    raw,
    newSpec,
  }) => {
    const spec = newSpec();
    const { collection } = await target.prepare(spec, signal);
    await raw.updateCollection(collection, {
      strict_mode_config: {
        enabled: true,
        upsert_max_batchsize: 10_000,
        max_query_limit: 100,
        filter_max_conditions: 2,
        unindexed_filtering_retrieve: false,
      },
    });
    const { limits } = await target.examine(spec, SOURCE, signal);
    const sorted = limits.map(({ name, value, needed }) => `${name} ${value} ${needed}`);
    assert.deepEqual(sorted.slice(0, 2).sort(), ['filter_max_conditions 2 4', 'max_query_limit 100 1000']);
    assert.deepEqual(sorted.slice(2).sort(), [
      'unindexed_filtering_retrieve false false',
      'upsert_max_batchsize 10000 256',
    ]);
    await raw.updateCollection(collection, { strict_mode_config: { enabled: false } });
    assert.deepEqual((await target.examine(spec, SOURCE, signal)).limits, []);
  },

  'everything works under the strict mode that Qdrant Cloud sets': async (bench) => {
    const spec = bench.newSpec();
    await bench.raw.createCollection(spec.name, {
      ...definition(spec),
      strict_mode_config: {
        enabled: true,
        unindexed_filtering_retrieve: false,
        unindexed_filtering_update: false,
        max_payload_index_count: 100,
      },
    });
    await bench.raw.upsert(spec.name, { wait: true, points: [{ id: 1, vector: {} }] });
    // Without an index on `source` its points cannot be told apart, and none can be ours.
    const before = await bench.target.examine(spec, SOURCE, signal);
    assert.deepEqual(before.points, { own: 0, others: 0, foreign: 1 });

    const { collection } = await bench.target.prepare(spec, signal);
    const owner = { collection, source: SOURCE };
    const { parent: father, child, vector } = family(7n);
    await write(bench, owner, creations([father, child], new Map([[child, vector]])));
    assert.equal((await scanAll(bench, owner, { after: 6n, upTo: 7n })).length, 2);
    assert.equal((await bench.target.record(owner, 7n, [], signal)).length, 2);
    const query = { text: 'alpha', vector, limit: 10, tenant: 'M-1' };
    assert.equal((await bench.target.search(owner, query, signal))[0]?.id, child.id);
    assert.equal((await bench.target.searchParents(owner, query, signal))[0]?.id, father.id);
    const { points } = await bench.target.examine(spec, SOURCE, signal);
    assert.deepEqual(points, { own: 2, others: 0, foreign: 1 });
  },
};
