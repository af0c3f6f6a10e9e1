import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Fault } from '../../src/errors.ts';
import { connect } from '../../src/target/connection.ts';
import { examine } from '../../src/target/examine.ts';
import { createQdrantTarget } from '../../src/target/qdrant.ts';
import { DEFAULT_BM25, targetSettings, type TargetSettings } from '../../src/target/settings.ts';
import type { CollectionSpec } from '../../src/target/target.ts';
import { startProxy } from '../conformance/target-proxy.ts';
import { type Front, startFront, stopFront } from '../support/qdrant-front.ts';
import { testStack } from '../support/stack.ts';

/** What depends on the settings of one server; test/conformance/target-suite.ts has all the rest. */

const { signal } = new AbortController();
const SPEC: CollectionSpec = {
  name: `target-${randomUUID().slice(0, 8)}`,
  model: 'test-embedding',
  dimensions: 4,
  bm25: DEFAULT_BM25,
  binaryQuantization: false,
};

async function faultOf(promise: Promise<unknown>): Promise<Fault> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Fault, `expected a fault, got ${String(error)}`);
  return error;
}

describe('connection', () => {
  let settings: TargetSettings;

  before(() => {
    settings = targetSettings.parse(testStack().environment());
  });

  it('explains a wrong key', async () => {
    for (const QDRANT_API_KEY of ['wrong', undefined]) {
      const denied = createQdrantTarget({ ...settings, QDRANT_API_KEY });
      for (const refused of [
        denied.prepare(SPEC, signal),
        denied.find(SPEC, signal),
        denied.examine(SPEC, 'crm/memo', signal),
      ]) {
        const fault = await faultOf(refused);
        assert.equal(fault.code, 'target_access_denied');
        assert.match(fault.message, /check QDRANT_API_KEY/);
      }
    }
  });

  it('explains a server that is not there', async () => {
    const dead = createQdrantTarget({ ...settings, QDRANT_URL: 'http://127.0.0.1:1' });
    const fault = await faultOf(dead.examine(SPEC, 'crm/memo', signal));
    assert.equal(fault.code, 'target_unavailable');
    assert.match(fault.message, /QDRANT_URL/);
  });

  it('stops when told to, with the reason as it is', async () => {
    const reason = new Error('shutdown');
    const target = createQdrantTarget(settings);
    await assert.rejects(target.prepare(SPEC, AbortSignal.abort(reason)), (error) => error === reason);
  });
});

describe('a collection too large to be counted', () => {
  const settings = () => targetSettings.parse(testStack().environment());
  let asked: string[] = [];
  let proxy: Awaited<ReturnType<typeof startProxy>>;
  const spec = { ...SPEC, name: `large-${randomUUID().slice(0, 8)}` };

  before(async () => {
    // It cuts the connection where it is asked to count.
    proxy = await startProxy(settings(), {
      request: ({ path, body }) => {
        asked.push(path.split('?')[0] ?? '');
        return path.includes('/points/count') ? null : body;
      },
    });
  });
  after(() => proxy.close());

  it('is prepared, found and examined all the same', async () => {
    const target = createQdrantTarget({ ...settings(), QDRANT_URL: proxy.url });
    const { collection } = await target.prepare(spec, signal);
    assert.ok(!asked.some((path) => path.endsWith('/count')));

    asked = [];
    assert.equal((await target.find(spec, signal)).collection, collection);
    assert.deepEqual(asked.sort(), ['/aliases', `/collections/${spec.name}`]);

    const { points, size, canWrite, limits } = await target.examine(spec, 'crm/memo', signal);
    assert.deepEqual(
      { points, size, canWrite, limits },
      { points: null, size: 0, canWrite: true, limits: [] },
    );
  });

  it('is counted for a limited time', async () => {
    const silent = createServer((incoming, outgoing) => {
      if (incoming.url?.includes('/points/count')) return;
      const to = new URL(incoming.url ?? '/', settings().QDRANT_URL);
      const headers = { ...incoming.headers, host: to.host };
      incoming.pipe(
        request(to, { method: incoming.method, headers }, (reply) => {
          outgoing.writeHead(reply.statusCode ?? 500, reply.headers);
          reply.pipe(outgoing);
        }),
      );
    }).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    try {
      const send = connect({ ...settings(), QDRANT_URL: url });
      assert.equal((await examine(send, spec, 'crm/memo', signal, 20)).points, null);
      const reason = new Error('withdrawn');
      await assert.rejects(
        examine(send, spec, 'crm/memo', AbortSignal.abort(reason), 20),
        (error) => error === reason,
      );
    } finally {
      silent.close();
      silent.closeAllConnections();
    }
  });
});

describe('a key that may only read', () => {
  let dir: string;
  let front: Front;
  let writer: TargetSettings;
  let reader: TargetSettings;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'ferry-target-reader-'));
    front = await startFront(dir, '--api-key', 'writes', '--read-only-api-key', 'reads');
    writer = targetSettings.parse({ QDRANT_URL: front.url, QDRANT_API_KEY: 'writes' });
    reader = { ...writer, QDRANT_API_KEY: 'reads' };
  });
  after(async () => {
    await stopFront(front);
    await rm(dir, { recursive: true, force: true });
  });

  it('is told from one that may write, with and without a collection', async () => {
    const writing = createQdrantTarget(writer);
    const reading = createQdrantTarget(reader);
    const canWrite = async () =>
      Promise.all(
        [writing, reading].map(async (target) => (await target.examine(SPEC, 'crm/memo', signal)).canWrite),
      );
    assert.deepEqual(await canWrite(), [true, false]);
    assert.equal((await faultOf(reading.prepare(SPEC, signal))).code, 'target_access_denied');
    const { collection } = await writing.prepare(SPEC, signal);
    assert.deepEqual(await canWrite(), [true, false]);
    assert.equal(
      (await faultOf(reading.delete(collection, [{ id: randomUUID(), checksum: null }], signal))).code,
      'target_access_denied',
    );
    const owner = { collection, source: 'crm/memo' };
    assert.deepEqual(await reading.record(owner, 1n, [], signal), []);
  });
});
