import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { QdrantClient } from '@qdrant/js-client-rest';

import {
  createMemos,
  document,
  type Front,
  pointId,
  send,
  shareFront,
  sorted,
} from '../support/qdrant-front.ts';

void describe('qdrant front, points', () => {
  let front: Front;
  let client: QdrantClient;

  shareFront('points', (shared) => ({ front, client } = shared));

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
