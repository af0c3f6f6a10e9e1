import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LARGEST_ID } from '../../src/planning/plan.ts';
import { reconcile } from '../../src/reconcile/reconcile.ts';
import { reconcileRecordByRecord } from '../../src/reconcile/record-by-record.ts';
import { quietAttempt } from '../support/attempt.ts';
import { RECONCILE_INPUT as input } from '../support/reconcile-input.ts';
import { MemoryEmbedder, MemorySource, MemoryTarget } from '../support/memory.ts';

const IDS = [-3n, 2n, 3n, 70n, LARGEST_ID];

function setUp() {
  const services = {
    source: new MemorySource(2),
    embedder: new MemoryEmbedder(),
    target: new MemoryTarget(),
  };
  for (const id of IDS) services.source.set(id, `content of ${id} `.repeat(20));
  return services;
}

type Services = ReturnType<typeof setUp>;

/**
 * @param refused records at which too many attempts were lost
 * @param cleared the record at which the last one was lost
 */
async function oneByOne(services: Services, refused: readonly bigint[] = [], cleared?: bigint) {
  const begun: bigint[] = [];
  const ended: (bigint | undefined)[] = [];
  const begin = async (id: bigint): Promise<boolean> => {
    begun.push(id);
    return !refused.includes(id);
  };
  const end = (): boolean => {
    ended.push(begun.at(-1));
    return begun.at(-1) === cleared;
  };
  const result = await reconcileRecordByRecord(input, services, quietAttempt(), { begin, end });
  return { begun, ended, result };
}

function pointsOf({ target }: Services) {
  return [...target.points].sort(([a], [b]) => (a < b ? -1 : 1));
}

test('leaves the same points and the same counts as the range at once', async () => {
  const whole = setUp();
  const parts = setUp();
  const expected = await reconcile(input, whole, quietAttempt());
  const { result, begun, ended } = await oneByOne(parts);
  assert.deepEqual(result, expected);
  assert.deepEqual(pointsOf(parts), pointsOf(whole));
  assert.deepEqual(begun, IDS, 'each record is announced, in order');
  assert.deepEqual(ended, IDS);
});

test('once the suspected record is done, the rest goes at once', async () => {
  const whole = setUp();
  const services = setUp();
  const expected = await reconcile(input, whole, quietAttempt());
  const { result, begun } = await oneByOne(services, [], 2n);
  assert.deepEqual(begun, [-3n, 2n]);
  assert.deepEqual(result, expected);
  assert.deepEqual(pointsOf(services), pointsOf(whole));
});

test('a record that is given up fails and keeps the points it had; the others are written', async () => {
  const services = setUp();
  await reconcile(input, services, quietAttempt());
  const before = new Set(pointsOf(services).map(([, { checksum }]) => checksum));
  for (const id of IDS) services.source.set(id, `edited content of ${id} `.repeat(20));
  const { result } = await oneByOne(services, [3n]);
  assert.deepEqual(result.failed, [[3n, 'worker_lost']]);
  assert.deepEqual([result.records, result.written], [IDS.length, IDS.length - 1]);
  assert.deepEqual([result.firstId, result.lastId], [IDS[0], IDS.at(-1)]);
  for (const { point, checksum } of services.target.points.values()) {
    assert.equal(before.has(checksum), point.recordId === 3n);
  }
});

test('orphans between, below and above the records are found, also beside one that is given up', async () => {
  const services = setUp();
  const all = [...IDS, -100n, 0n, 69n, 71n];
  for (const id of all) services.source.set(id, `content of ${id}`);
  await reconcile(input, services, quietAttempt());
  for (const id of [-100n, 0n, 69n, 71n]) services.source.rows.delete(id);
  const { result } = await oneByOne(services, [70n]);
  assert.equal(result.orphans, 4);
  const left = new Set([...services.target.points.values()].map(({ point }) => point.recordId));
  assert.deepEqual([...left].sort(), [...IDS].sort());
});

test('a request to stop ends it between two records', async () => {
  const services = setUp();
  const stop = new AbortController();
  const begin = async (id: bigint): Promise<boolean> => {
    if (id === 2n) stop.abort();
    return true;
  };
  await assert.rejects(
    reconcileRecordByRecord(input, services, quietAttempt({ stop: stop.signal }), {
      begin,
      end: () => false,
    }),
  );
  const done = new Set([...services.target.points.values()].map(({ point }) => point.recordId));
  assert.ok(done.has(-3n) && !done.has(3n));
});

test('a range without records is looked through once', async () => {
  const services = setUp();
  services.source.rows.clear();
  const { result, begun } = await oneByOne(services);
  assert.deepEqual([result.records, begun], [0, []]);
});
