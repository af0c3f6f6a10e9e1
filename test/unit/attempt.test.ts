import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { runAttempt } from '../../src/activities/attempt.ts';
import { Fault } from '../../src/errors.ts';
import type { BatchHeartbeat } from '../../src/job/job.ts';
import type { Attempt } from '../../src/reconcile/patience.ts';
import { fakeSpecification } from '../support/specification.ts';

/** Runs an attempt as a worker would; collects its heartbeats. */
async function run<T>(
  work: (attempt: Attempt) => Promise<T>,
  changes: { heartbeatIntervalMs?: number; batchTimeoutMs?: number } = {},
) {
  const environment = new MockActivityEnvironment(
    {},
    { logger: new DefaultLogger('ERROR', () => undefined) },
  );
  const heartbeats: BatchHeartbeat[] = [];
  environment.on('heartbeat', (details: BatchHeartbeat) => heartbeats.push(details));
  const specification = fakeSpecification({ heartbeatIntervalMs: 20, ...changes });
  const outcome: { result?: T; error?: unknown } = {};
  try {
    outcome.result = await environment.run(() => runAttempt(specification, work));
  } catch (error) {
    outcome.error = error;
  }
  return { ...outcome, heartbeats };
}

function assertFailure(error: unknown, type: string, nonRetryable: boolean): ApplicationFailure {
  assert.ok(error instanceof ApplicationFailure, String(error));
  assert.deepEqual([error.type, error.nonRetryable], [type, nonRetryable]);
  return error;
}

test('heartbeats while it works, and says what it waits for', async () => {
  const { result, heartbeats } = await run(async (attempt) => {
    await sleep(50);
    attempt.waiting('target_unavailable');
    await sleep(50);
    attempt.waiting(null);
    return 'done';
  });
  assert.equal(result, 'done');
  assert.ok(heartbeats.length >= 4);
  const reasons = heartbeats.map(({ waiting }) => waiting?.reason ?? null);
  assert.deepEqual([...new Set(reasons)], [null, 'target_unavailable']);
  assert.equal(reasons.at(-1), null);
});

test('a fault becomes a failure of its code that no server retries', async () => {
  const { error } = await run(() => Promise.reject(new Fault('embedding_quota_exhausted', 'status 429')));
  assert.match(assertFailure(error, 'embedding_quota_exhausted', true).message, /add credit.*status 429/);
});

test('an unknown error does not carry its message into the history: it may quote a row', async () => {
  const { error } = await run(() => Promise.reject(new TypeError('cannot read "secret row content"')));
  const { message } = assertFailure(error, 'unexpected', true);
  assert.match(message, /^An unexpected TypeError at /);
  assert.doesNotMatch(message, /secret/);
});

test('no progress for too long ends the attempt for another, even if a call hangs', async () => {
  const { error } = await run(() => new Promise(() => undefined), { batchTimeoutMs: 100 });
  assertFailure(error, 'NoProgress', false);
});

test('progress and declared waits keep the watchdog quiet', async () => {
  const { result } = await run(
    async (attempt) => {
      for (let i = 0; i < 5; i++) {
        await sleep(60);
        attempt.progressed();
      }
      attempt.waiting('rate_budget');
      await sleep(300);
      attempt.waiting(null);
      return 'done';
    },
    { batchTimeoutMs: 100 },
  );
  assert.equal(result, 'done');
});

test('cancellation is passed on as a request to stop, and reported as cancelled', async () => {
  const environment = new MockActivityEnvironment(
    {},
    { logger: new DefaultLogger('ERROR', () => undefined) },
  );
  const running = environment.run(() =>
    runAttempt(fakeSpecification({ heartbeatIntervalMs: 20 }), async (attempt) => {
      while (!attempt.stop.aborted) await sleep(5);
      assert.equal(attempt.signal.aborted, false, 'calls on their way are completed');
      attempt.stop.throwIfAborted();
    }),
  );
  setTimeout(() => environment.cancel('CANCELLED'), 50);
  await assert.rejects(running, { name: 'CancelledFailure' });
});

test('a shutdown of the worker hands over: retryable, so that another goes on', async () => {
  const environment = new MockActivityEnvironment(
    {},
    { logger: new DefaultLogger('ERROR', () => undefined) },
  );
  const running = environment.run(() =>
    runAttempt(fakeSpecification({ heartbeatIntervalMs: 20 }), async (attempt) => {
      while (!attempt.stop.aborted) await sleep(5);
      attempt.stop.throwIfAborted();
    }),
  );
  setTimeout(() => environment.cancel('WORKER_SHUTDOWN', { workerShutdown: true } as never), 50);
  await assert.rejects(running, (error: unknown) => {
    assertFailure(error, 'WorkerShutdown', false);
    return true;
  });
});
