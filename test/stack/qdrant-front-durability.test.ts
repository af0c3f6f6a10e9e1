import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';

import type { QdrantClient } from '@qdrant/js-client-rest';

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

interface Counters {
  readonly written: number;
  readonly changed: number;
  readonly deleted: number;
  readonly requests: Record<string, number>;
}

async function readCounters(front: Front): Promise<Counters> {
  return (await send(front, 'GET', '/front/counters')).result as Counters;
}

void describe('qdrant front, durability', () => {
  let dir: string;
  let front: Front;
  let client: QdrantClient;

  shareFront('durability', (shared) => ({ dir, front, client } = shared));

  it('keeps every acknowledged write through kill -9', async () => {
    const data = join(dir, 'killed');
    const acknowledged = new Set<number>();
    let next = 1;
    for (let round = 0; round < 3; round++) {
      const doomed = await startFront(data);
      const writer = connect(doomed);
      if (round === 0) await createMemos(writer, 'memos');
      // A refused write stands in the log as well, and the log has to be readable with it.
      assert.equal(await refusal(writer.setPayload('memos', { points: [999_999], payload: { a: 1 } })), 404);
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
    assert.equal(await refusal(client.upsert('memos', { points: [{ id: 4, vector: { child: [1] } }] })), 400);
    const { written, changed, deleted, requests } = await readCounters(front);
    assert.deepEqual({ written, changed, deleted }, { written: 3, changed: 3, deleted: 1 });
    assert.equal(requests['PUT /collections/{name}/points'], 2);
  });
});
