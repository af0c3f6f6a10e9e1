import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, type Info } from '@temporalio/activity';
import {
  ActivityCancelledError,
  ActivityNotFoundError,
  ActivityPausedError,
  ActivityResetError,
  type Client,
} from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { runAttempt } from '../../src/activities/attempt.ts';
import { Fault } from '../../src/errors.ts';
import type { BatchHeartbeat } from '../../src/job/job.ts';
import type { WritingAttempt } from '../../src/reconcile/patience.ts';
import { fakeSpecification } from '../support/specification.ts';

/** Runs an attempt as a worker would; collects its heartbeats. */
async function run<T>(
  work: (attempt: WritingAttempt) => Promise<T>,
  changes: { heartbeatIntervalMs?: number; batchTimeoutMs?: number } = {},
  { info = {}, server = fakeServer() }: { info?: Partial<Info>; server?: FakeServer } = {},
) {
  const environment = environmentOn(server, info);
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

/** A server's answers to heartbeats that are awaited. */
type FakeServer = ReturnType<typeof fakeServer>;

function fakeServer(answer: () => void = () => undefined) {
  const told: BatchHeartbeat[] = [];
  return {
    told,
    withAbortSignal: <T>(_signal: AbortSignal, call: () => Promise<T>) => call(),
    withDeadline: <T>(_deadline: number, call: () => Promise<T>) => call(),
    activity: {
      heartbeat: async (_token: unknown, details: BatchHeartbeat): Promise<void> => {
        answer();
        told.push(details);
      },
    },
  };
}

function environmentOn(server = fakeServer(), info: Partial<Info> = {}): MockActivityEnvironment {
  return new MockActivityEnvironment(info, {
    logger: new DefaultLogger('ERROR', () => undefined),
    client: server as unknown as Client,
  });
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
  const environment = environmentOn();
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
  const environment = environmentOn();
  const told: BatchHeartbeat[] = [];
  environment.on('heartbeat', (details: BatchHeartbeat) => told.push(details));
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
  assert.equal(told.at(-1)?.losses?.weight, 0, 'the next attempt knows that nobody was lost');
});

test('a write asks the server first, and ends the attempt if it is not the only one', async () => {
  let writes = 0;
  const write = async (attempt: WritingAttempt): Promise<void> => {
    await attempt.fence();
    writes++;
  };
  await run(write);
  assert.equal(writes, 1);
  const server = fakeServer(() => {
    throw new ActivityNotFoundError('unknown');
  });
  const { error } = await run(write, {}, { server });
  assertFailure(error, 'LeaseLost', false);
  assert.equal(writes, 1);
});

test('says when it waits for an answer: that it is lost then says little of a record', async () => {
  const { heartbeats } = await run(async (attempt) => {
    await attempt.awaiting(() => sleep(10));
    await assert.rejects(
      attempt.awaiting(() => Promise.reject(new Error('refused'))),
      /refused/,
    );
  });
  assert.deepEqual(
    heartbeats.map(({ losses }) => losses?.weight),
    [10, 1, 10, 1, 10],
  );
});

test('where records go one by one, the server knows of a request before it is sent', async () => {
  const losses = { process: 'another', weight: 10, inARow: 10, record: null, suspect: null, givenUp: [] };
  const server = fakeServer();
  const { result } = await run(
    async (attempt) => {
      await attempt.suspicion?.begin(5n);
      return attempt.awaiting(async () => server.told.at(-1)?.losses?.weight);
    },
    {},
    { server, info: { attempt: 3, heartbeatDetails: { waiting: null, losses } } },
  );
  assert.equal(result, 1);
});

test('what is in hand may be written when the server asks to end: it still knows the attempt', async () => {
  for (const end of [
    new ActivityCancelledError('cancelled'),
    new ActivityPausedError('paused'),
    new ActivityResetError('reset'),
  ]) {
    const server = fakeServer(() => {
      throw end;
    });
    const { result } = await run((attempt) => attempt.fence().then(() => 'written'), {}, { server });
    assert.equal(result, 'written');
  }
});

test('an attempt after others knows how they ended, and says first of all that it is there', async () => {
  const losses = { process: 'another', weight: 10, inARow: 10, record: null, suspect: null, givenUp: ['4'] };
  const server = fakeServer();
  const { result } = await run(
    async ({ suspicion }) => [server.told.length, await suspicion?.begin(4n), await suspicion?.begin(5n)],
    {},
    { server, info: { attempt: 3, heartbeatDetails: { waiting: null, losses } } },
  );
  assert.deepEqual(result, [1, false, true]);
  assert.equal(server.told.at(-1)?.losses?.record, '5');
});

test('an attempt of a worker of an earlier release, whose heartbeats say less, is followed all the same', async () => {
  const { result } = await run(
    async ({ suspicion }) => suspicion,
    {},
    {
      info: { attempt: 2, heartbeatDetails: { waiting: null } },
    },
  );
  assert.equal(result, null);
});

test('a clock that is set while an attempt runs neither ends it nor keeps it', async () => {
  const { result } = await run(
    async (attempt) => {
      mock.timers.enable({ apis: ['Date'], now: Date.now() + 86_400_000 });
      await sleep(60);
      attempt.progressed();
      return 'done';
    },
    { batchTimeoutMs: 10_000 },
  );
  mock.timers.reset();
  assert.equal(result, 'done');
});
