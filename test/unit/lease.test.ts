import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { ApplicationFailure } from '@temporalio/activity';
import { ActivityNotFoundError } from '@temporalio/client';
import { Lease } from '../../src/activities/lease.ts';

const VALID_MS = 40;
const forever = new AbortController().signal;

/** A lease on a server that answers as told; the last answer stands. */
function leaseOn(answers: (Error | null)[], { signal = forever, stop = forever } = {}) {
  const asked = mock.fn(async () => {
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    if (answer instanceof Error) throw answer;
  });
  const said = mock.fn<(error: unknown) => void>();
  return {
    asked: () => asked.mock.callCount(),
    said: () => said.mock.calls.map(({ arguments: [error] }) => error),
    lease: new Lease(asked, VALID_MS, { signal, stop }, said),
  };
}

/** As a process does that is stopped for a while. */
function standStill(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, VALID_MS + 20);
}

function isLost(error: unknown): boolean {
  return error instanceof ApplicationFailure && error.type === 'LeaseLost' && error.nonRetryable === false;
}

test('the first write asks; while the answer is fresh the others do not', async () => {
  const { lease, asked } = leaseOn([null]);
  await lease.hold();
  await lease.hold();
  assert.equal(asked(), 1);
});

test('after standing still it asks again', async () => {
  const { lease, asked } = leaseOn([null]);
  await lease.hold();
  standStill();
  await lease.hold();
  assert.equal(asked(), 2);
});

test('an answer that is read late, since the process stood still meanwhile, does not count', async () => {
  let asked = 0;
  const heartbeat = async (): Promise<void> => {
    if (++asked === 1) standStill();
  };
  await new Lease(heartbeat, VALID_MS, { signal: forever, stop: forever }, () => undefined).hold();
  assert.equal(asked, 2);
});

test('a clock that is set forward while the other stands still makes it ask: the machine has slept', async () => {
  const { lease, asked } = leaseOn([null]);
  await lease.hold();
  mock.timers.enable({ apis: ['Date'], now: Date.now() + 3_600_000 });
  await lease.hold();
  mock.timers.reset();
  assert.equal(asked(), 2);
});

test('an attempt that the server no longer knows may not write, now or later', async () => {
  const { lease } = leaseOn([new ActivityNotFoundError('gone')]);
  await assert.rejects(lease.hold(), isLost);
  await assert.rejects(lease.hold(), isLost);
});

test('a server that does not answer is asked until it does, and that is said once', async () => {
  const unavailable = new Error('unavailable');
  const { lease, asked, said } = leaseOn([unavailable, new Error('still'), null]);
  await lease.hold();
  assert.equal(asked(), 3);
  assert.deepEqual(said(), [unavailable]);
});

test('whoever has to stop does not wait for a server that does not answer, and writes nothing', async () => {
  const { lease, asked } = leaseOn([new Error('unavailable')], { stop: AbortSignal.abort() });
  await assert.rejects(lease.hold(), isLost);
  assert.equal(asked(), 1);
  const other = leaseOn([null], { stop: AbortSignal.abort() });
  await other.lease.hold();
});

test('the end of the attempt ends the wait', async () => {
  const over = new AbortController();
  const { lease } = leaseOn([new Error('unavailable')], { signal: over.signal });
  const held = lease.hold();
  over.abort(new Error('stalled'));
  await assert.rejects(held, /stalled/);
});
