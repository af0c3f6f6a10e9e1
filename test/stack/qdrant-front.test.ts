import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';

import type { QdrantClient } from '@qdrant/js-client-rest';

import {
  BM25,
  connect,
  createMemos,
  document,
  type Front,
  refusal,
  send,
  startFront,
  stopFront,
} from '../support/qdrant-front.ts';

interface Counters {
  readonly written: number;
  readonly changed: number;
  readonly deleted: number;
  readonly requests: Record<string, number>;
}

async function readCounters(front: Front): Promise<Counters> {
  return (await send(front, 'GET', '/front/counters')).result as Counters;
}

const pointId = (ordinal: number) => `00000000-0000-5000-8000-${String(ordinal).padStart(12, '0')}`;
const sorted = (points: { id: string | number }[]) => points.map(({ id }) => String(id)).sort();

void describe('qdrant front', () => {
  let dir: string;
  let front: Front;
  let client: QdrantClient;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ferry-qdrant-front-'));
    front = await startFront(join(dir, 'shared'));
    client = connect(front);
  });

  afterEach(async () => {
    await send(front, 'DELETE', '/front/faults');
    const { aliases } = await client.getAliases();
    const actions = aliases.map(({ alias_name }) => ({ delete_alias: { alias_name } }));
    if (actions.length > 0) await client.updateCollectionAliases({ actions });
    const { collections } = await client.getCollections();
    for (const { name } of collections) await client.deleteCollection(name);
  });

  after(async () => {
    await stopFront(front);
    await rm(dir, { recursive: true, force: true });
  });

  it('says which server it is, and is ready', async () => {
    const { version, commit } = await client.versionInfo();
    assert.deepEqual({ version, commit }, { version: '1.19.0', commit: 'vector-ferry-front' });
    for (const path of ['/readyz', '/livez', '/healthz']) assert.ok((await fetch(front.url + path)).ok);
  });

  void describe('collections', () => {
    it('shows a collection as it was created, with metadata', async () => {
      await createMemos(client, 'memos');
      const { config, points_count, status, payload_schema } = await client.getCollection('memos');
      assert.deepEqual(config.params.vectors, { child: { size: 4, distance: 'Cosine', on_disk: true } });
      assert.deepEqual(config.params.sparse_vectors, {
        'child-sparse': { modifier: 'idf', index: { on_disk: true } },
      });
      assert.equal(config.hnsw_config.m, 16);
      assert.equal(config.hnsw_config.full_scan_threshold, 10000);
      assert.equal(config.quantization_config, null);
      assert.deepEqual(config.metadata, { model: 'text-embedding-3-small', bm25: BM25 });
      assert.equal('strict_mode_config' in config, false);
      assert.deepEqual(
        { points_count, status, payload_schema },
        { points_count: 0, status: 'green', payload_schema: {} },
      );
      assert.deepEqual(await client.collectionExists('memos'), { exists: true });
      assert.deepEqual(await client.getCollections(), { collections: [{ name: 'memos' }] });
    });

    it('merges metadata key by key and changes other settings', async () => {
      await createMemos(client, 'memos');
      await client.upsert('memos', { points: [{ id: 1, vector: {}, payload: { kept: true } }] });
      await client.updateCollection('memos', {
        metadata: { added: 1, bm25: null },
        hnsw_config: { ef_construct: 64 },
        quantization_config: { binary: { always_ram: true } },
      });
      const { config, points_count } = await client.getCollection('memos');
      assert.deepEqual(config.metadata, { model: 'text-embedding-3-small', added: 1 });
      assert.equal(config.hnsw_config.ef_construct, 64);
      assert.deepEqual(config.quantization_config, { binary: { always_ram: true } });
      assert.equal(points_count, 1);
    });

    it('answers 404 for an unknown collection and 409 for an existing one', async () => {
      await createMemos(client, 'memos');
      assert.equal(await refusal(createMemos(client, 'memos')), 409);
      assert.equal(await refusal(client.scroll('other', {})), 404);
      const { status, error } = await send(front, 'GET', '/collections/other');
      assert.deepEqual(
        { status, error },
        { status: 404, error: "Not found: Collection `other` doesn't exist!" },
      );
      assert.equal(await client.deleteCollection('memos'), true);
      assert.equal(await client.deleteCollection('memos'), false);
      assert.deepEqual(await client.collectionExists('memos'), { exists: false });
    });

    it('replaces a payload index that is issued again, and drops is_tenant with it', async () => {
      await createMemos(client, 'memos');
      const tenant = { type: 'keyword', is_tenant: true, enable_hnsw: false } as const;
      const field_name = 'member_code';
      await client.createPayloadIndex('memos', { field_name, field_schema: tenant, wait: true });
      await client.createPayloadIndex('memos', {
        field_name: 'summary_id',
        field_schema: 'integer',
        wait: true,
      });
      const before = (await client.getCollection('memos')).payload_schema;
      assert.deepEqual(before[field_name], { data_type: 'keyword', params: tenant, points: 0 });
      assert.deepEqual(before['summary_id'], { data_type: 'integer', points: 0 });
      await client.createPayloadIndex('memos', { field_name, field_schema: 'keyword', wait: true });
      await client.deletePayloadIndex('memos', 'summary_id');
      const { payload_schema } = await client.getCollection('memos');
      assert.deepEqual(payload_schema, { member_code: { data_type: 'keyword', points: 0 } });
    });
  });

  void describe('aliases', () => {
    it('reads and writes through an alias and follows it when it is switched', async () => {
      await createMemos(client, 'memos_v1');
      await createMemos(client, 'memos_v2');
      await client.updateCollectionAliases({
        actions: [{ create_alias: { collection_name: 'memos_v1', alias_name: 'memos' } }],
      });
      await client.upsert('memos', { points: [{ id: 1, vector: {} }] });
      await client.updateCollectionAliases({
        actions: [
          { delete_alias: { alias_name: 'memos' } },
          { create_alias: { collection_name: 'memos_v2', alias_name: 'memos' } },
        ],
      });
      await client.upsert('memos', { points: [{ id: 2, vector: {} }] });
      assert.deepEqual(sorted((await client.scroll('memos_v1', {})).points), ['1']);
      assert.deepEqual(sorted((await client.scroll('memos', {})).points), ['2']);
      const aliases = [{ alias_name: 'memos', collection_name: 'memos_v2' }];
      assert.deepEqual(await client.getAliases(), { aliases });
      assert.deepEqual(await client.getCollectionAliases('memos_v2'), { aliases });
      assert.deepEqual(await client.getCollectionAliases('memos_v1'), { aliases: [] });
    });

    it('keeps names of aliases and collections apart', async () => {
      await createMemos(client, 'memos_v1');
      await createMemos(client, 'plain');
      const create = (alias_name: string) => ({ create_alias: { collection_name: 'memos_v1', alias_name } });
      assert.equal(await refusal(client.updateCollectionAliases({ actions: [create('plain')] })), 409);
      await client.updateCollectionAliases({ actions: [create('memos')] });
      assert.equal(await refusal(createMemos(client, 'memos')), 400);
    });

    it('applies all actions or none', async () => {
      await createMemos(client, 'memos_v1');
      const actions = [
        { create_alias: { collection_name: 'memos_v1', alias_name: 'memos' } },
        { rename_alias: { old_alias_name: 'missing', new_alias_name: 'other' } },
      ];
      assert.equal(await refusal(client.updateCollectionAliases({ actions })), 404);
      assert.deepEqual(await client.getAliases(), { aliases: [] });
    });
  });

  void describe('points', () => {
    it('keeps 64-bit integers exact both ways', async () => {
      await createMemos(client, 'memos');
      const payload = {
        largest: 18446744073709551615n,
        least: -9223372036854775808n,
        snowflake: 1234567890123456789n,
      };
      const id = 18446744073709551615n as unknown as number;
      await client.upsert('memos', { points: [{ id, vector: {}, payload }] });
      const [point] = await client.retrieve('memos', { ids: [id] });
      assert.deepEqual(point, { id, payload });
      const match = {
        must: [{ key: 'snowflake', match: { value: payload.snowflake as unknown as number } }],
      };
      assert.deepEqual(await client.count('memos', { filter: match }), { count: 1 });
      match.must[0]!.match.value = (payload.snowflake + 1n) as unknown as number;
      assert.deepEqual(await client.count('memos', { filter: match }), { count: 0 });
    });

    it('takes every spelling of a UUID and returns one', async () => {
      await createMemos(client, 'memos');
      const id = 'a1b2c3d4-e5f6-4789-8abc-def012345678';
      for (const spelling of [id, id.toUpperCase(), id.replaceAll('-', ''), `urn:uuid:${id}`]) {
        await client.upsert('memos', { points: [{ id: spelling, vector: {} }] });
      }
      assert.deepEqual(await client.retrieve('memos', { ids: [id], with_vector: true }), [
        { id, payload: {}, vector: {} },
      ]);
    });

    it('reads points in the batch form of an upsert, and only the payload asked for', async () => {
      await createMemos(client, 'memos');
      const ids = [3, 1, 2];
      await client.upsert('memos', {
        batch: {
          ids,
          vectors: { child: ids.map((n) => [n, 0, 0, 1]), 'child-sparse': ids.map(() => document('ferry')) },
          payloads: ids.map((n) => ({ n, text: 'ferry' })),
        },
      });
      const include = await client.retrieve('memos', { ids: [2, 9, 1], with_payload: { include: ['n'] } });
      assert.deepEqual(include, [
        { id: 2, payload: { n: 2 } },
        { id: 1, payload: { n: 1 } },
      ]);
      const exclude = await client.retrieve('memos', { ids: [3], with_payload: { exclude: ['n'] } });
      assert.deepEqual(exclude, [{ id: 3, payload: { text: 'ferry' } }]);
      const [bare] = await client.retrieve('memos', {
        ids: [3],
        with_payload: false,
        with_vector: ['child-sparse'],
      });
      const sparse = (bare?.vector as { 'child-sparse': { indices: number[]; values: number[] } })[
        'child-sparse'
      ];
      assert.equal(sparse.indices.length, 1);
      assert.equal('payload' in (bare ?? {}), false);
    });

    it('scrolls page by page through a filter', async () => {
      await createMemos(client, 'memos');
      const points = Array.from({ length: 25 }, (_, n) => ({ id: pointId(n), vector: {}, payload: { n } }));
      await client.upsert('memos', { points });
      const filter = { must: [{ key: 'n', range: { gte: 5, lt: 20 } }] };
      const seen: string[] = [];
      let offset: string | undefined;
      do {
        const page = await client.scroll('memos', {
          filter,
          limit: 4,
          ...(offset && { offset }),
          with_payload: ['n'],
        });
        seen.push(...page.points.map(({ id }) => String(id)));
        offset = page.next_page_offset as string | undefined;
      } while (offset);
      assert.deepEqual(
        seen,
        points.slice(5, 20).map(({ id }) => id),
      );
    });

    it('filters by every kind of condition it serves', async () => {
      await createMemos(client, 'memos');
      await client.createPayloadIndex('memos', {
        field_name: 'note',
        field_schema: { type: 'text', phrase_matching: true },
        wait: true,
      });
      await client.upsert('memos', {
        points: [
          {
            id: 1,
            vector: {},
            payload: { kind: 'parent', open: true, list: [1, 2, 3], on: '2026-01-01T00:00:00Z' },
          },
          { id: 2, vector: {}, payload: { kind: 'child', open: false, gone: null, inner: [{ a: 1, b: 1 }] } },
          {
            id: 3,
            vector: { child: [1, 0, 0, 0] },
            payload: {
              kind: 'child',
              note: 'The ferry leaves the harbour',
              inner: [
                { a: 1, b: 2 },
                { a: 2, b: 1 },
              ],
            },
          },
        ],
      });
      const cases: [string, object, number[]][] = [
        ['value', { key: 'kind', match: { value: 'child' } }, [2, 3]],
        ['true', { key: 'open', match: { value: true } }, [1]],
        ['false', { key: 'open', match: { value: false } }, [2]],
        ['any', { key: 'list', match: { any: [3, 9] } }, [1]],
        ['except', { key: 'kind', match: { except: ['child'] } }, [1]],
        ['any of strings', { key: 'kind', match: { any: ['parent', 'x'] } }, [1]],
        ['except numbers', { key: 'list', match: { except: [1, 2, 3] } }, []],
        ['text', { key: 'note', match: { text: 'harbour ferry' } }, [3]],
        ['text, all words of it', { key: 'note', match: { text: 'harbour train' } }, []],
        ['any word of a text', { key: 'note', match: { text_any: 'harbour train' } }, [3]],
        ['phrase', { key: 'note', match: { phrase: 'ferry leaves' } }, [3]],
        ['no phrase', { key: 'note', match: { phrase: 'leaves ferry' } }, []],
        ['date range', { key: 'on', range: { gt: '2025-12-31T00:00:00Z' } }, [1]],
        ['values count', { key: 'list', values_count: { gte: 3 } }, [1]],
        ['has id', { has_id: [3, pointId(9)] }, [3]],
        ['is empty', { is_empty: { key: 'open' } }, [3]],
        ['is null', { is_null: { key: 'gone' } }, [2]],
        ['has vector', { has_vector: 'child' }, [3]],
        ['has no vector', { must_not: { has_vector: 'child' } }, [1, 2]],
        ['is empty, as a condition on a field', { key: 'gone', is_empty: true }, [1, 2, 3]],
        ['is null, as a condition on a field', { key: 'gone', is_null: true }, [2]],
        [
          'min should',
          {
            min_should: {
              conditions: [
                { key: 'kind', match: { value: 'child' } },
                { key: 'inner[].b', match: { value: 2 } },
                { has_vector: 'child' },
              ],
              min_count: 2,
            },
          },
          [3],
        ],
        [
          'nested filter',
          { should: [{ has_id: [1] }, { must_not: { key: 'kind', match: { value: 'parent' } } }] },
          [1, 2, 3],
        ],
        [
          'nested object',
          {
            nested: {
              key: 'inner',
              filter: {
                must: [
                  { key: 'a', match: { value: 1 } },
                  { key: 'b', match: { value: 1 } },
                ],
              },
            },
          },
          [2],
        ],
      ];
      for (const [name, condition, expected] of cases) {
        const reply = await send(front, 'POST', '/collections/memos/points/scroll', {
          filter: { must: condition },
        });
        const { points } = reply.result as { points: { id: number }[] };
        assert.deepEqual(sorted(points), expected.map(String), name);
      }
    });

    it('changes vectors and our payload keys in one batch and keeps foreign keys', async () => {
      await createMemos(client, 'memos');
      const id = pointId(1);
      const vector = { child: [1, 0, 0, 0], 'child-sparse': document('old words') };
      await client.upsert('memos', {
        points: [{ id, vector, payload: { text: 'old', collection_ids: [7], note: 'x' } }],
      });
      await client.batchUpdate('memos', {
        operations: [
          {
            update_vectors: {
              points: [{ id, vector: { child: [0, 1, 0, 0], 'child-sparse': document('new words') } }],
            },
          },
          { set_payload: { points: [id], payload: { text: 'new' } } },
          { delete_payload: { points: [id], keys: ['note'] } },
        ],
      });
      const [point] = await client.retrieve('memos', { ids: [id], with_vector: ['child'] });
      assert.deepEqual(point, {
        id,
        payload: { text: 'new', collection_ids: [7] },
        vector: { child: [0, 1, 0, 0] },
      });
      const { points } = await client.query('memos', { query: document('new'), using: 'child-sparse' });
      assert.deepEqual(sorted(points), [id]);
    });

    it('sets payload below a key and by filter, and deletes by filter', async () => {
      await createMemos(client, 'memos');
      await client.upsert('memos', {
        points: [1, 2].map((id) => ({ id, vector: {}, payload: { a: { id } } })),
      });
      await client.setPayload('memos', { points: [1], payload: { b: 1 }, key: 'a' });
      const second = { must: [{ key: 'a.id', match: { value: 2 } }] };
      await client.setPayload('memos', { filter: second, payload: { c: 1 } });
      assert.deepEqual(await client.retrieve('memos', { ids: [1, 2] }), [
        { id: 1, payload: { a: { id: 1, b: 1 } } },
        { id: 2, payload: { a: { id: 2 }, c: 1 } },
      ]);
      await client.delete('memos', { filter: second, wait: true });
      assert.deepEqual(sorted((await client.scroll('memos', {})).points), ['1']);
    });

    it('updates existing points only where they match the update filter', async () => {
      await createMemos(client, 'memos');
      const at = (id: number, version: number) => ({ id, vector: {}, payload: { version } });
      await client.upsert('memos', { points: [at(1, 1), at(2, 5)] });
      const update_filter = { must: [{ key: 'version', range: { lt: 3 } }] };
      await client.upsert('memos', { points: [at(1, 3), at(2, 3), at(3, 3)], update_filter });
      const points = await client.retrieve('memos', { ids: [1, 2, 3] });
      assert.deepEqual(
        points.map(({ payload }) => payload?.['version']),
        [3, 5, 3],
      );
    });
  });

  void describe('queries', () => {
    const texts = [
      '渡轮每天早上离开港口前往小岛',
      '数据库迁移需要可靠的校验',
      'The ferry leaves the harbour at dawn',
      '港口的天气',
    ];

    async function fill(): Promise<void> {
      await createMemos(client, 'memos');
      const points = texts.map((text, n) => ({
        id: n + 1,
        vector: { child: [1, n, 0, 0], 'child-sparse': document(text) },
        payload: { n, text },
      }));
      await client.upsert('memos', { points });
    }

    it('finds Chinese words with the multilingual tokenizer', async () => {
      await fill();
      const ask = async (text: string) =>
        sorted((await client.query('memos', { query: document(text), using: 'child-sparse' })).points);
      assert.deepEqual(await ask('港口'), ['1', '4']);
      assert.deepEqual(await ask('迁移 校验'), ['2']);
      assert.deepEqual(await ask('ferries'), ['3']);
    });

    it('gives the documented weights', async () => {
      await createMemos(client, 'memos');
      const text = 'Nike Pegasus 40 running shoes';
      const vector = { 'child-sparse': { text, model: 'qdrant/bm25' } };
      await client.upsert('memos', { points: [{ id: 1, vector }] });
      const [point] = await client.retrieve('memos', { ids: [1], with_vector: true });
      const { indices, values } = (
        point!.vector as { 'child-sparse': { indices: number[]; values: number[] } }
      )['child-sparse'];
      assert.deepEqual(
        indices.sort((a, b) => a - b),
        [24614856, 243905464, 303109060, 1784631546, 1974139272],
      );
      for (const value of values) assert.ok(Math.abs(value - 1.6697302) < 1e-6);
    });

    it('ranks by vector, with filter, offset, threshold and payload', async () => {
      await fill();
      const query = [1, 0, 0, 0];
      const { points } = await client.query('memos', {
        query,
        using: 'child',
        limit: 2,
        offset: 1,
        with_payload: ['n'],
      });
      assert.deepEqual(
        points.map(({ id, payload }) => [id, payload]),
        [
          [2, { n: 1 }],
          [3, { n: 2 }],
        ],
      );
      const filter = { must_not: [{ has_id: [1] }] };
      const near = await client.query('memos', { query, using: 'child', filter, score_threshold: 0.5 });
      assert.deepEqual(
        near.points.map(({ id }) => id),
        [2],
      );
      const exact = await client.query('memos', {
        query: { nearest: query },
        using: 'child',
        params: { exact: true },
      });
      assert.equal(exact.points.length, 4);
    });

    it('fuses dense and sparse ranks', async () => {
      await fill();
      const prefetch = [
        { query: [1, 3, 0, 0], using: 'child', limit: 3 },
        { query: document('港口'), using: 'child-sparse', limit: 3 },
      ];
      const { points } = await client.query('memos', {
        prefetch,
        query: { fusion: 'rrf' },
        limit: 3,
        with_payload: true,
      });
      assert.equal(points[0]?.id, 4);
      assert.equal(points[0]?.payload?.['text'], texts[3]);
      assert.ok(points[0].score > points[1]!.score);
      const [batched] = await client.queryBatch('memos', {
        searches: [{ prefetch, query: { rrf: { k: 2 } }, limit: 3, with_payload: true }],
      });
      assert.deepEqual(
        batched?.points.map(({ score }) => score),
        points.map(({ score }) => score),
      );
    });
  });

  void describe('refusals', () => {
    it('names an unknown key, wherever it stands', async () => {
      await createMemos(client, 'memos');
      const cases: [string, string, object, string][] = [
        ['PUT', '/collections/x', { vectors: { size: 4, distance: 'Dot', ondisk: true } }, 'ondisk'],
        [
          'PUT',
          '/collections/memos/index',
          { field_name: 'a', field_schema: { type: 'keyword', tenant: true } },
          'tenant',
        ],
        ['PUT', '/collections/memos/points', { points: [{ id: 1, vector: {}, paylaod: {} }] }, 'paylaod'],
        [
          'PUT',
          '/collections/memos/points',
          { points: [{ id: 1, vector: { 'child-sparse': { ...document('a'), x: 1 } } }] },
          'x',
        ],
        [
          'POST',
          '/collections/memos/points/query',
          { query: { text: 'a', model: 'qdrant/bm25', options: { avglen: 1 } }, using: 'child-sparse' },
          'avglen',
        ],
        [
          'POST',
          '/collections/memos/points/scroll',
          { filter: { must: [{ key: 'a', match: { values: 1 } }] } },
          'values',
        ],
        ['POST', '/collections/memos/points/scroll', { filter: { musts: [] } }, 'musts'],
        ['POST', '/collections/memos/points/batch', { operations: [{ upsrt: {} }] }, 'upsrt'],
        ['POST', '/collections/aliases', { actions: [{ make_alias: {} }] }, 'make_alias'],
      ];
      for (const [method, path, body, key] of cases) {
        const { status, error } = await send(front, method, path, body);
        assert.equal(status, 400, path);
        assert.match(error ?? '', new RegExp(`unknown key \`${key}\``));
      }
      assert.equal(
        (await send(front, 'PUT', '/collections/memos/points?wate=true', { points: [] })).status,
        400,
      );
    });

    it('answers 501 for what it does not serve', async () => {
      await createMemos(client, 'memos');
      assert.equal(await refusal(client.searchMatrixPairs('memos', {})), 501);
      assert.equal(await refusal(client.scroll('memos', { order_by: 'a' })), 501);
      assert.equal(await refusal(client.createSnapshot('memos')), 501);
      assert.equal(await refusal(client.query('memos', { query: { sample: 'random' } })), 501);
    });

    it('refuses bad points', async () => {
      await createMemos(client, 'memos');
      const put = (points: string) =>
        send(front, 'PUT', '/collections/memos/points', `{"points":[${points}]}`);
      const good = '{"id":1,"vector":{"child":[1,2,3,4]}}';
      const cases: [string, RegExp][] = [
        ['{"id":2,"vector":{"child":[1,2,3]}}', /Vector dimension error: expected dim: 4, got 3/],
        ['{"id":2,"vector":{"chld":[1,2,3,4]}}', /Not existing vector name error: chld/],
        ['{"id":2,"vector":[1,2,3,4]}', /Not existing vector name error/],
        ['{"id":2,"vector":{"child":[NaN,2,3,4]}}', /Format error in JSON body/],
        ['{"id":2,"vector":{"child":[null,2,3,4]}}', /numbers only/],
        ['{"id":2,"vector":{"child":[1e39,2,3,4]}}', /finite 32-bit numbers/],
        ['{"id":2,"vector":{"child":[1e400,2,3,4]}}', /Format error in JSON body/],
        ['{"id":2,"vector":{},"payload":{"a":[{"b":18446744073709551616}]}}', /does not fit into 64 bits/],
        ['{"id":18446744073709551616,"vector":{}}', /not a valid point ID/],
        ['{"id":-1,"vector":{}}', /not a valid point ID/],
        ['{"id":"1","vector":{}}', /not a valid point ID/],
        ['{"id":2}', /missing field `vector`/],
      ];
      for (const [bad, message] of cases) {
        const { status, error } = await put(`${good},${bad}`);
        assert.equal(status, 400, bad);
        assert.match(error ?? '', message);
      }
      assert.deepEqual(await client.retrieve('memos', { ids: [2] }), []);
      assert.equal((await put('{"id":2,"vector":{},"payload":{"large":1e20}}')).status, 200);
      assert.equal(await refusal(client.setPayload('memos', { points: [77], payload: {} })), 404);
    });

    it('asks for its key where one is set', async () => {
      const locked = await startFront(join(dir, 'locked'), '--api-key', 'secret');
      try {
        assert.equal(await refusal(connect(locked).getCollections()), 401);
        assert.equal(await refusal(connect(locked, 'wrong').getCollections()), 401);
        assert.deepEqual(await connect(locked, 'secret').getCollections(), { collections: [] });
        const headers = { authorization: 'Bearer secret' };
        assert.ok((await fetch(`${locked.url}/collections`, { headers })).ok);
        assert.ok((await fetch(`${locked.url}/readyz`)).ok);
      } finally {
        await stopFront(locked);
      }
    });

    it('fails on demand, and serves again', async () => {
      await createMemos(client, 'memos');
      await send(front, 'POST', '/front/faults', { status: 503, count: 2, paths: '/points' });
      const upsert = () => client.upsert('memos', { points: [{ id: 1, vector: {} }] });
      assert.equal(await refusal(upsert()), 503);
      assert.equal(await refusal(client.count('memos')), 503);
      await upsert();
      await send(front, 'POST', '/front/faults', { status: 500, count: 1, after: true, paths: '^PUT ' });
      assert.equal(await refusal(client.upsert('memos', { points: [{ id: 2, vector: {} }] })), 500);
      assert.deepEqual(await client.count('memos'), { count: 2 });
    });
  });

  void describe('durability', () => {
    it('keeps every acknowledged write through kill -9', async () => {
      const data = join(dir, 'killed');
      const acknowledged = new Set<number>();
      let next = 1;
      for (let round = 0; round < 3; round++) {
        const doomed = await startFront(data);
        const writer = connect(doomed);
        if (round === 0) await createMemos(writer, 'memos');
        // A refused write stands in the log as well, and the log has to be readable with it.
        assert.equal(
          await refusal(writer.setPayload('memos', { points: [999_999], payload: { a: 1 } })),
          404,
        );
        const kill = setTimeout(() => doomed.process.kill('SIGKILL'), 200 + round * 500);
        const exited = once(doomed.process, 'exit');
        try {
          for (;;) {
            const ids = Array.from({ length: 20 }, () => next++);
            const points = ids.map((id) => ({ id, vector: { child: [id, 1, 2, 3] }, payload: { id } }));
            await writer.upsert('memos', { points });
            for (const id of ids) acknowledged.add(id);
          }
        } catch {
          await exited;
        }
        clearTimeout(kill);
      }
      const restarted = await startFront(data);
      try {
        const reader = connect(restarted);
        const { points } = await reader.scroll('memos', { limit: next });
        const found = new Set(points.map(({ id, payload }) => (payload?.['id'] === id ? id : undefined)));
        assert.ok(acknowledged.size > 100);
        assert.deepEqual(
          [...acknowledged].filter((id) => !found.has(id)),
          [],
        );
      } finally {
        await stopFront(restarted);
      }
    });

    it('comes back from an orderly stop with everything, and without the folders of deleted collections', async () => {
      const data = join(dir, 'restarted');
      const first = await startFront(data);
      const writer = connect(first);
      await createMemos(writer, 'memos_v1');
      await createMemos(writer, 'deleted');
      await writer.deleteCollection('deleted');
      await writer.createPayloadIndex('memos_v1', {
        field_name: 'a',
        field_schema: { type: 'keyword', is_tenant: true },
      });
      await writer.updateCollectionAliases({
        actions: [{ create_alias: { collection_name: 'memos_v1', alias_name: 'memos' } }],
      });
      await writer.upsert('memos', {
        points: [{ id: 1, vector: { child: [1, 2, 3, 4] }, payload: { a: 'x' } }],
      });
      const before = await writer.getCollection('memos');
      assert.equal(await stopFront(first), 0);
      assert.equal((await readdir(join(data, 'collections'))).length, 1);

      const second = await startFront(data);
      try {
        await assert.rejects(startFront(data), /did not start/);
        assert.deepEqual(await connect(second).getCollection('memos'), before);
        assert.equal((await readCounters(second)).written, 1);
      } finally {
        await stopFront(second);
      }
    });

    it('counts the points it touched and the requests it got', async () => {
      await createMemos(client, 'memos');
      await send(front, 'POST', '/front/counters/reset');
      await client.upsert('memos', { points: [1, 2, 3].map((id) => ({ id, vector: {} })) });
      await client.setPayload('memos', { points: [1, 2], payload: { a: 1 } });
      await client.updateVectors('memos', { points: [{ id: 3, vector: { child: [1, 2, 3, 4] } }] });
      await client.delete('memos', { points: [1, 99], wait: true });
      assert.equal(
        await refusal(client.upsert('memos', { points: [{ id: 4, vector: { child: [1] } }] })),
        400,
      );
      const { written, changed, deleted, requests } = await readCounters(front);
      assert.deepEqual({ written, changed, deleted }, { written: 3, changed: 3, deleted: 1 });
      assert.equal(requests['PUT /collections/{name}/points'], 2);
    });
  });
});
