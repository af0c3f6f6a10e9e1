import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import type { QdrantClient } from '@qdrant/js-client-rest';

import {
  connect,
  createMemos,
  document,
  type Front,
  refusal,
  send,
  shareFront,
  startFront,
  stopFront,
} from '../support/qdrant-front.ts';

void describe('qdrant front, refusals', () => {
  let dir: string;
  let front: Front;
  let client: QdrantClient;

  shareFront('refusals', (shared) => ({ dir, front, client } = shared));

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
    const put = (points: string) => send(front, 'PUT', '/collections/memos/points', `{"points":[${points}]}`);
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
