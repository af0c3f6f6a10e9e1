import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Schemas } from '@qdrant/js-client-rest';
import { DEFAULT_BM25 } from '../../src/target/settings.ts';
import type { StrictLimit } from '../../src/target/target.ts';
import { strictLimits } from '../../src/target/strict-mode.ts';

const SPEC = { name: 'memos', model: 'm', dimensions: 4, bm25: DEFAULT_BM25, binaryQuantization: false };

const tooLowOf = ({ isTooLow }: StrictLimit): boolean => isTooLow;

function limits(strict_mode_config: Schemas['StrictModeConfigOutput'] | undefined, points = 10) {
  const info = {
    config: { strict_mode_config },
    payload_schema: { likes: { data_type: 'integer', points: 0 } },
  };
  return strictLimits(info as unknown as Schemas['CollectionInfo'], SPEC, points);
}

describe('limits of strict mode', () => {
  it('are none without it', () => {
    assert.deepEqual(limits(undefined), []);
    assert.deepEqual(limits({ max_query_limit: 1 }), []);
    assert.deepEqual(limits({ enabled: false, max_query_limit: 1 }), []);
  });

  const cases: [name: keyof Schemas['StrictModeConfigOutput'], enough: number, tooLow: number][] = [
    ['max_query_limit', 1_000, 999],
    ['upsert_max_batchsize', 256, 255],
    ['filter_max_conditions', 4, 3],
    ['condition_max_size', 259, 258],
    ['max_points_count', 10, 9],
    // The foreign one and our eight.
    ['max_payload_index_count', 9, 8],
  ];
  for (const [name, enough, tooLow] of cases) {
    it(`${name} has to be ${enough}`, () => {
      assert.deepEqual(limits({ enabled: true, [name]: enough }).map(tooLowOf), [false]);
      assert.deepEqual(limits({ enabled: true, [name]: tooLow }), [
        { name, value: tooLow, needed: enough, isTooLow: true },
      ]);
    });
  }

  it('need neither exact counts nor filters without an index', () => {
    assert.deepEqual(limits({ enabled: true, search_allow_exact: false }).map(tooLowOf), [false]);
    const unindexed = { unindexed_filtering_retrieve: false, unindexed_filtering_update: false };
    assert.deepEqual(limits({ enabled: true, ...unindexed }).map(tooLowOf), [false, false]);
  });

  it('show those that only slow down or that the product never meets', () => {
    const others = {
      read_rate_limit: 1,
      write_rate_limit: 1,
      search_max_hnsw_ef: 1,
      search_max_oversampling: 1.5,
      max_timeout: 1,
    };
    const found = limits({ enabled: true, ...others });
    assert.deepEqual(Object.fromEntries(found.map(({ name, value }) => [name, value])), others);
    assert.ok(!found.some(tooLowOf));
  });

  it('leave room for the words of a child', () => {
    const sparse = (max_length: number) =>
      limits({ enabled: true, sparse_config: { 'child-sparse': { max_length }, other: { max_length: 1 } } });
    assert.deepEqual(sparse(127), [
      { name: 'sparse_config.child-sparse.max_length', value: 127, needed: 128, isTooLow: true },
    ]);
    assert.ok(!sparse(128).some(tooLowOf));
  });

  it('come with those first that are too low', () => {
    const found = limits({ enabled: true, upsert_max_batchsize: 1_000, max_query_limit: 10 });
    assert.deepEqual(
      found.map(({ name }) => name),
      ['max_query_limit', 'upsert_max_batchsize'],
    );
  });
});
