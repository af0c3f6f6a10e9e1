import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import type { QdrantClient } from '@qdrant/js-client-rest';

import {
  createMemos,
  document,
  type Front,
  pointId,
  refusal,
  send,
  shareFront,
} from '../support/qdrant-front.ts';

const NORTH = [1, 0, 0, 0];

/** A point whose dense vector is the further from NORTH, the larger its id. */
function chunk(id: number, payload: Record<string, unknown>, text = 'ferry') {
  return { id, vector: { child: [1, id / 100, 0, 0], 'child-sparse': document(text) }, payload };
}

type Groups = Awaited<ReturnType<QdrantClient['queryGroups']>>['groups'];

/** Pairs of a group's id and the ids of its hits. */
const outline = (groups: Groups) => groups.map(({ id, hits }) => [id, hits.map((hit) => hit.id)]);

void describe('qdrant front, groups and facets', () => {
  let front: Front;
  let client: QdrantClient;

  shareFront('groups', (shared) => ({ front, client } = shared));

  void describe('groups', () => {
    const nearest = { query: NORTH, using: 'child' };

    /** Parent 1 has the 60 nearest chunks; 2 and 3 share the next ones; 4 has a single chunk, 5 two far ones. */
    async function fill(): Promise<void> {
      await createMemos(client, 'memos');
      const parents = [...Array<number>(60).fill(1), 2, 3, 2, 4, 3, 2, ...Array<number>(20).fill(1), 5, 5];
      const points = parents.map((parent, n) => chunk(n + 1, { parent_id: pointId(parent), n: n + 1 }));
      await client.upsert('memos', { points });
    }

    it('keeps asking until every group is full or has no more points', async () => {
      await fill();
      const { groups } = await client.queryGroups('memos', {
        ...nearest,
        group_by: 'parent_id',
        group_size: 2,
        limit: 4,
      });
      assert.deepEqual(outline(groups), [
        [pointId(1), [1, 2]],
        [pointId(2), [61, 63]],
        [pointId(3), [62, 65]],
        [pointId(4), [64]],
      ]);
      const [hit] = groups[0]!.hits;
      assert.deepEqual(Object.keys(hit!).sort(), ['id', 'score', 'version']);
      assert.deepEqual(Object.keys(groups[0]!).sort(), ['hits', 'id']);
    });

    it('has ten groups of three where nothing else is asked for', async () => {
      await createMemos(client, 'memos');
      const points = Array.from({ length: 60 }, (_, n) => chunk(n + 1, { parent: n % 12 }));
      await client.upsert('memos', { points });
      const { groups } = await client.queryGroups('memos', { ...nearest, group_by: 'parent' });
      assert.deepEqual(
        outline(groups),
        Array.from({ length: 10 }, (_, n) => [n, [n + 1, n + 13, n + 25]]),
      );
    });

    it('takes filters, thresholds and selectors as a query does', async () => {
      await fill();
      const { groups } = await client.queryGroups('memos', {
        ...nearest,
        group_by: 'parent_id',
        group_size: 2,
        limit: 2,
        filter: { must: [{ key: 'n', range: { gt: 61 } }] },
        with_payload: ['n'],
        with_vector: ['child'],
      });
      assert.deepEqual(outline(groups), [
        [pointId(3), [62, 65]],
        [pointId(2), [63, 66]],
      ]);
      const [hit] = groups[0]!.hits;
      assert.deepEqual(hit?.payload, { n: 62 });
      assert.deepEqual(Object.keys(hit.vector as object), ['child']);

      const whole = await client.queryGroups('memos', {
        ...nearest,
        group_by: 'parent_id',
        with_payload: true,
      });
      assert.deepEqual(whole.groups[0]?.hits[0]?.payload, { parent_id: pointId(1), n: 1 });
      const { score } = whole.groups[1]!.hits[0]!;
      const near = { ...nearest, group_by: 'parent_id', score_threshold: score - 1e-6 };
      assert.deepEqual(outline((await client.queryGroups('memos', near)).groups), [
        [pointId(1), [1, 2, 3]],
        [pointId(2), [61]],
      ]);
    });

    it('puts a point into the group of every value, below a path as well', async () => {
      await createMemos(client, 'memos');
      await client.upsert('memos', {
        points: [
          chunk(1, { tags: ['a', 'b', 'a'], parts: [{ of: 'x' }, { of: 'y' }] }),
          chunk(2, { tags: 'b', parts: [{ of: 'y' }] }),
          chunk(3, { tags: [7, true, null, 1.5] }),
          chunk(4, { tags: [] }),
          chunk(5, {}),
        ],
      });
      const ask = async (group_by: string) =>
        outline((await client.queryGroups('memos', { ...nearest, group_by })).groups);
      const tags = [
        ['a', [1]],
        ['b', [1, 2]],
        [7, [3]],
      ];
      assert.deepEqual(await ask('tags'), tags);
      const elements = [
        ['a', [1]],
        ['b', [1]],
        [7, [3]],
      ];
      assert.deepEqual(await ask('tags[]'), elements);
      assert.deepEqual(await ask('parts[].of'), [
        ['x', [1]],
        ['y', [1, 2]],
      ]);
      assert.deepEqual(await ask('missing'), []);
    });

    it('looks records up by the ids of the groups, in another collection or the same', async () => {
      await createMemos(client, 'memos');
      await createMemos(client, 'parents');
      await client.upsert('memos', {
        points: [
          chunk(1, { parent: pointId(1) }),
          chunk(2, { parent: pointId(2) }),
          chunk(3, { parent: 'no point id' }),
          chunk(4, { parent: 1 }),
          chunk(5, { parent: -1 }),
        ],
      });
      const vector = { child: NORTH };
      await client.upsert('parents', {
        points: [{ id: pointId(1), vector, payload: { title: 'A', n: 1 } }],
      });
      const ask = async (
        with_lookup: NonNullable<Parameters<QdrantClient['queryGroups']>[1]['with_lookup']>,
      ) => {
        const { groups } = await client.queryGroups('memos', { ...nearest, group_by: 'parent', with_lookup });
        assert.deepEqual(
          groups.map(({ id }) => id),
          [pointId(1), pointId(2), 'no point id', 1, -1],
        );
        return Object.fromEntries(
          groups.flatMap((group) => ('lookup' in group ? [[String(group.id), group.lookup]] : [])),
        );
      };
      const id = pointId(1);
      assert.deepEqual(await ask('parents'), { [id]: { id, payload: { title: 'A', n: 1 } } });
      assert.deepEqual(
        await ask({ collection: 'parents', with_payload: { include: ['title'] }, with_vectors: true }),
        { [id]: { id, payload: { title: 'A' }, vector } },
      );
      assert.deepEqual(await ask({ collection: 'parents', with_payload: false }), { [id]: { id } });
      assert.deepEqual(await ask('memos'), { 1: { id: 1, payload: { parent: id } } });
      const other = { ...nearest, group_by: 'parent', with_lookup: 'other' };
      assert.equal(await refusal(client.queryGroups('memos', other)), 404);
    });

    it('groups what prefetches and fusion rank, and looks behind their limits', async () => {
      await fill();
      await client.updateVectors('memos', {
        points: [{ id: 64, vector: { child: [1, 0.64, 0, 0], 'child-sparse': document('harbour') } }],
      });
      const prefetch = [
        { query: NORTH, using: 'child', limit: 5 },
        { query: document('harbour'), using: 'child-sparse', limit: 5 },
      ];
      const fused = { prefetch, query: { fusion: 'rrf' } } as const;
      const { groups } = await client.queryGroups('memos', {
        ...fused,
        group_by: 'parent_id',
        group_size: 2,
        limit: 4,
      });
      assert.deepEqual(new Set(outline(groups).map(([id]) => id)), new Set([1, 2, 3, 4].map(pointId)));
      assert.deepEqual(groups.map(({ hits }) => hits.length).sort(), [1, 2, 2, 2]);
      assert.ok(outline(groups).slice(0, 2).flat(2).includes(64));
      const scores = groups.map(({ hits }) => hits[0]!.score);
      assert.deepEqual(
        scores,
        [...scores].sort((a, b) => b - a),
      );
    });

    it('names an unknown key, and says what it does not serve', async () => {
      await createMemos(client, 'memos');
      const ask = (body: object) => send(front, 'POST', '/collections/memos/points/query/groups', body);
      const unknown: [object, string][] = [
        [{ group_by: 'a', offset: 1 }, 'offset'],
        [{ group_by: 'a', groupsize: 1 }, 'groupsize'],
        [{ group_by: 'a', prefetch: [{ limt: 1 }] }, 'limt'],
        [{ group_by: 'a', with_lookup: { collection: 'memos', payload: true } }, 'payload'],
      ];
      for (const [body, key] of unknown) {
        const { status, error } = await ask(body);
        assert.equal(status, 400);
        assert.match(error ?? '', new RegExp(`unknown key \`${key}\``));
      }
      assert.match((await ask({ query: NORTH, using: 'child' })).error ?? '', /missing field `group_by`/);
      for (const path of ['', 'a..b', 'a.', 'a b']) assert.equal((await ask({ group_by: path })).status, 400);
      assert.equal((await ask({ group_by: 'a', group_size: 0 })).status, 422);
      assert.equal((await ask({ group_by: 'a', limit: 0 })).status, 422);
      assert.equal((await ask({ group_by: 'a[0]' })).status, 501);
      assert.equal((await ask({ group_by: 'a', lookup_from: { collection: 'memos' } })).status, 501);
    });
  });

  void describe('facets', () => {
    it('counts the values of an indexed field, most frequent first', async () => {
      await createMemos(client, 'memos');
      const index = (field_name: string, field_schema: 'keyword' | 'integer' | 'bool' | 'uuid') =>
        client.createPayloadIndex('memos', { field_name, field_schema, wait: true });
      await index('kind', 'keyword');
      await index('n', 'integer');
      await index('open', 'bool');
      await index('parent_id', 'uuid');
      const kinds = ['memo', 'memo', 'memo', 'note', 'note', 'task'];
      await client.upsert('memos', {
        points: kinds.map((kind, n) =>
          chunk(n + 1, { kind, n: n % 2, open: n < 4, parent_id: pointId(n < 5 ? 1 : 2) }),
        ),
      });
      const facet = async (key: string, more?: object) =>
        (await client.facet('memos', { key, ...more })).hits.map(({ value, count }) => [value, count]);
      for (const exact of [true, false]) {
        assert.deepEqual(await facet('kind', { exact }), [
          ['memo', 3],
          ['note', 2],
          ['task', 1],
        ]);
      }
      assert.deepEqual(await facet('kind', { limit: 1 }), [['memo', 3]]);
      const filter = { must: [{ key: 'n', match: { value: 1 } }] };
      assert.deepEqual(await facet('kind', { filter, exact: true }), [
        ['memo', 1],
        ['note', 1],
        ['task', 1],
      ]);
      assert.deepEqual(await facet('n', { filter }), [[1, 3]]);
      assert.deepEqual(await facet('open'), [
        [true, 4],
        [false, 2],
      ]);
      assert.deepEqual(await facet('parent_id'), [
        [pointId(1), 5],
        [pointId(2), 1],
      ]);
    });

    it('refuses a field without an index, and an unknown key', async () => {
      await createMemos(client, 'memos');
      await client.upsert('memos', { points: [chunk(1, { kind: 'memo' })] });
      const ask = (body: object) => send(front, 'POST', '/collections/memos/facet', body);
      const plain = await ask({ key: 'kind' });
      assert.equal(plain.status, 400);
      assert.match(plain.error ?? '', /No appropriate index for faceting/);
      const unknown = await ask({ key: 'kind', offset: 1 });
      assert.equal(unknown.status, 400);
      assert.match(unknown.error ?? '', /unknown key `offset`/);
      assert.equal((await ask({})).status, 400);
      assert.equal((await ask({ key: 'kind', limit: 0 })).status, 422);
      assert.equal(await refusal(client.facet('other', { key: 'kind' })), 404);
    });
  });
});
