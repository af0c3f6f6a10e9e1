import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { QdrantClient } from '@qdrant/js-client-rest';

import { BM25, createMemos, type Front, refusal, send, shareFront, sorted } from '../support/qdrant-front.ts';

void describe('qdrant front', () => {
  let front: Front;
  let client: QdrantClient;

  shareFront('front', (shared) => ({ front, client } = shared));

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
});
