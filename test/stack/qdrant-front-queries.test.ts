import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { QdrantClient } from '@qdrant/js-client-rest';

import { createMemos, document, shareFront, sorted } from '../support/qdrant-front.ts';

void describe('qdrant front, queries', () => {
  let client: QdrantClient;

  shareFront('queries', (shared) => ({ client } = shared));

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
