import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Fault } from '../../src/errors.ts';
import { createQdrantTarget } from '../../src/target/qdrant.ts';
import { DEFAULT_BM25, targetSettings, type TargetSettings } from '../../src/target/settings.ts';
import type { CollectionSpec } from '../../src/target/target.ts';
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
      for (const refused of [denied.prepare(SPEC, signal), denied.examine(SPEC, 'crm/memo', signal)]) {
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
      (await faultOf(reading.delete(collection, [randomUUID()], signal))).code,
      'target_access_denied',
    );
    const owner = { collection, source: 'crm/memo' };
    assert.deepEqual(await reading.record(owner, 1n, [], signal), []);
  });
});
