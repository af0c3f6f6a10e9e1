import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';

import {
  connect,
  createMemos,
  type Front,
  refusal,
  send,
  shareFront,
  startFront,
  stopFront,
} from '../support/qdrant-front.ts';

const NORTH = [1, 0, 0, 0];
const point = (id: number) => ({ id, vector: { child: NORTH }, payload: { n: id } });

void describe('qdrant front, strict mode and telemetry', () => {
  let dir: string;
  let front: Front;
  let client: QdrantClient;

  shareFront('strict', (shared) => ({ dir, front, client } = shared));

  async function restrict(limits: Schemas['StrictModeConfig']): Promise<void> {
    await createMemos(client, 'memos');
    await client.upsert('memos', { points: [1, 2, 3].map(point) });
    await client.updateCollection('memos', { strict_mode_config: { enabled: true, ...limits } });
  }

  const refused = async (call: Promise<unknown>) => assert.equal(await refusal(call), 400);
  const conditions = (count: number) => ({
    must: Array.from({ length: count - 1 }, (_, n) => ({ key: 'n', match: { value: n } })),
    should: { must_not: { key: 'n', match: { value: -1 } } },
  });

  it('shows what it was given at creation and in updates, merged', async () => {
    await client.createCollection('memos', {
      vectors: { size: 4, distance: 'Dot' },
      strict_mode_config: { enabled: true, max_query_limit: 5 },
    });
    await client.updateCollection('memos', { strict_mode_config: { upsert_max_batchsize: 7 } });
    const { config } = await client.getCollection('memos');
    assert.deepEqual(config.strict_mode_config, {
      enabled: true,
      max_query_limit: 5,
      upsert_max_batchsize: 7,
    });
  });

  it('enforces nothing while it is off', async () => {
    await restrict({ enabled: false, max_query_limit: 1, upsert_max_batchsize: 1, filter_max_conditions: 1 });
    await client.scroll('memos', { limit: 100, filter: conditions(3) });
    await client.upsert('memos', { points: [1, 2].map(point) });
  });

  it('max_query_limit holds for every read, and for what is not given', async () => {
    await restrict({ max_query_limit: 9 });
    await client.scroll('memos', { limit: 9 });
    await refused(client.scroll('memos', { limit: 10 }));
    await refused(client.scroll('memos', {}));
    const query = { query: NORTH, using: 'child' };
    await client.query('memos', { ...query, limit: 9 });
    await refused(client.query('memos', { ...query, limit: 10 }));
    const prefetch = (limit: number) => ({
      prefetch: [{ ...query, limit }],
      query: { fusion: 'rrf' } as const,
    });
    await client.query('memos', { ...prefetch(9), limit: 1 });
    await refused(client.query('memos', { ...prefetch(10), limit: 1 }));
    const groups = { ...query, group_by: 'n' };
    await client.queryGroups('memos', { ...groups, limit: 3, group_size: 3 });
    await refused(client.queryGroups('memos', { ...groups, limit: 5, group_size: 2 }));
    const { error } = await send(front, 'POST', '/collections/memos/points/scroll', { limit: 11 });
    assert.match(
      error ?? '',
      /^Bad request: limit is 11, and at most 9 is allowed \(max_query_limit\)\. Help:/,
    );
  });

  it('upsert_max_batchsize holds for points and vectors, in a batch as well', async () => {
    await restrict({ upsert_max_batchsize: 2 });
    const points = [4, 5, 6].map(point);
    await client.upsert('memos', { points: points.slice(1) });
    await refused(client.upsert('memos', { points }));
    await refused(
      client.upsert('memos', { batch: { ids: [7, 8, 9], vectors: { child: points.map(() => NORTH) } } }),
    );
    await refused(
      client.updateVectors('memos', { points: [1, 2, 3].map((id) => ({ id, vector: { child: NORTH } })) }),
    );
    await refused(client.batchUpdate('memos', { operations: [{ upsert: { points } }] }));
    assert.deepEqual(await client.retrieve('memos', { ids: [4, 7] }), []);
    await client.setPayload('memos', { points: [1, 2, 3], payload: { a: 1 } });
  });

  it('filter_max_conditions and condition_max_size count what a filter holds, however deep', async () => {
    await restrict({ filter_max_conditions: 2, condition_max_size: 2 });
    await client.scroll('memos', { filter: conditions(2) });
    for (const call of [
      () => client.scroll('memos', { filter: conditions(3) }),
      () => client.count('memos', { filter: conditions(3) }),
      () => client.setPayload('memos', { filter: conditions(3), payload: {} }),
      () => client.scroll('memos', { filter: { must: { nested: { key: 'a', filter: conditions(3) } } } }),
      () => client.scroll('memos', { filter: { must: { key: 'n', match: { any: [1, 2, 3] } } } }),
    ]) {
      await refused(call());
    }
  });

  it('refuses filters and groups by fields without an index', async () => {
    await restrict({ unindexed_filtering_retrieve: false, unindexed_filtering_update: false });
    const filter = { must: [{ key: 'n', match: { value: 1 } }] };
    const ask = [
      () => client.scroll('memos', { filter }),
      () => client.query('memos', { query: NORTH, using: 'child', filter }),
      () => client.queryGroups('memos', { query: NORTH, using: 'child', group_by: 'n' }),
      () => client.count('memos', { filter: { must: { is_empty: { key: 'n' } } } }),
      () => client.setPayload('memos', { filter, payload: {} }),
    ];
    for (const call of ask) await refused(call());
    await client.createPayloadIndex('memos', { field_name: 'n', field_schema: 'integer', wait: true });
    for (const call of ask) await call();
    await client.scroll('memos', { filter: { must: [{ has_id: [1] }, { has_vector: 'child' }] } });
  });

  it('limits points, payload indexes, and what is exact', async () => {
    await restrict({ max_points_count: 3, max_payload_index_count: 1, search_allow_exact: false });
    await refused(client.upsert('memos', { points: [point(4)] }));
    await client.createPayloadIndex('memos', { field_name: 'n', field_schema: 'integer', wait: true });
    await client.createPayloadIndex('memos', { field_name: 'n', field_schema: 'integer', wait: true });
    await refused(
      client.createPayloadIndex('memos', { field_name: 'a', field_schema: 'integer', wait: true }),
    );
    await refused(client.count('memos', { exact: true }));
    assert.deepEqual(await client.count('memos', { exact: false }), { count: 3 });
    await refused(client.query('memos', { query: NORTH, using: 'child', params: { exact: true } }));
  });

  it('refuses a limit that it does not hold, and an unknown one', async () => {
    await createMemos(client, 'memos');
    const change = (strict_mode_config: object) => client.updateCollection('memos', { strict_mode_config });
    assert.equal(await refusal(change({ read_rate_limit: 5 })), 501);
    await refused(change({ max_limit: 5 }));
    assert.equal(await refusal(change({ max_query_limit: 0 })), 422);
  });

  it('refuses a write of no points, as a request that reaches no shard', async () => {
    await createMemos(client, 'memos');
    const { status, error } = await send(front, 'POST', '/collections/memos/points/delete', { points: [] });
    assert.deepEqual([status, error], [400, 'Bad request: Empty update request']);
    await refused(client.upsert('memos', { points: [] }));
    assert.equal(await client.updateCollectionAliases({ actions: [] }), true);
  });

  it('tells of its machine at the level that shows it', async () => {
    const ask = async (level: number) => (await client.api().telemetry({ details_level: level })).data.result;
    const { app, collections } = (await ask(1))!;
    assert.deepEqual(collections, { number_of_collections: 0 });
    const { system, version } = app as Schemas['AppBuildTelemetry'];
    const { ram_size, disk_size } = system as Schemas['RunningEnvironmentTelemetry'];
    assert.equal(version, (await client.versionInfo()).version);
    assert.ok(ram_size && disk_size && ram_size > 2 ** 16 && disk_size > 2 ** 16, 'in KiB');
    assert.equal('system' in ((await ask(0))!.app ?? {}), false);
    assert.equal((await send(front, 'GET', '/telemetry?details_level=much')).status, 400);
    assert.equal((await send(front, 'GET', '/telemetry?wait=true')).status, 400);
  });

  it('lets a read-only key read, and nothing else', async () => {
    const locked = await startFront(join(dir, 'locked'), '--api-key', 'all', '--read-only-api-key', 'some');
    try {
      await createMemos(connect(locked, 'all'), 'memos');
      const reader = connect(locked, 'some');
      await reader.getCollection('memos');
      await reader.scroll('memos', {});
      await reader.query('memos', { query: NORTH, using: 'child' });
      await reader.queryGroups('memos', { query: NORTH, using: 'child', group_by: 'n' });
      for (const call of [
        () => reader.delete('memos', { points: [] }),
        () => reader.upsert('memos', { points: [point(1)] }),
        () => reader.updateCollectionAliases({ actions: [] }),
        () => reader.deleteCollection('memos'),
        () => reader.createPayloadIndex('memos', { field_name: 'a', field_schema: 'integer' }),
      ]) {
        assert.equal(await refusal(call()), 403);
      }
      assert.equal(await refusal(connect(locked, 'other').getCollections()), 401);
    } finally {
      await stopFront(locked);
    }
  });
});
