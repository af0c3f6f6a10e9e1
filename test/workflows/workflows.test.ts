import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import { snapshotMigration } from '../../src/client/snapshot.ts';
import { cancelMigration, pauseMigration, resumeMigration } from '../../src/client/control.ts';
import { AlreadyOpenError, startMigration } from '../../src/client/start.ts';
import { InputError } from '../../src/errors.ts';
import type { Activities, LedgerUpdate, MigrationResult } from '../../src/job/job.ts';
import type { JobSpecification } from '../../src/job/specification.ts';
import { fakeSpecification } from '../support/specification.ts';
import { fakeActivities, fakePartition, temporalLab } from '../support/temporal.ts';
import type { TemporalLab } from '../support/temporal.ts';

let lab: TemporalLab;
before(async () => {
  lab = await temporalLab();
});
after(() => lab.close());

async function start(
  changes: Partial<JobSpecification> = {},
): Promise<{ name: string; handle: WorkflowHandle }> {
  const name = randomUUID().slice(0, 8);
  await startMigration(lab.client, { name, specification: fakeSpecification(changes) });
  return { name, handle: lab.client.workflow.getHandle(`migration-${name}`) };
}

async function until(what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const deadline = Date.now() + 30_000; Date.now() < deadline;) {
    if (await condition()) return;
    await sleep(50);
  }
  throw new Error(`Not within 30 s: ${what}`);
}

/** A ledger that keeps what it is told: the newest state, and every report on a batch. */
function recordingLedger() {
  const updates: LedgerUpdate[] = [];
  const mirrorLedger: Activities['mirrorLedger'] = async ({ update }) => {
    updates.push(update);
  };
  return {
    mirrorLedger,
    states: () => updates.flatMap(({ state }) => (state === null ? [] : [state])),
    reports: () => updates.flatMap(({ batches }) => batches),
  };
}

test('a job completes with the totals of all its partitions, and the ledger has each outcome', async () => {
  const ledger = recordingLedger();
  const plan = Array.from({ length: 7 }, (_, k) => fakePartition(k, 2));
  const activities = fakeActivities({ ...ledger, planPartitions: async () => plan });
  await lab.withWorkers(activities, async () => {
    const { name, handle } = await start();
    const result = (await handle.result()) as MigrationResult;
    assert.equal(result.status, 'completed');
    assert.deepEqual(result.plan, { partitions: 7, batches: 14, records: 140 });
    const { completedBatches, records, pointsWritten, tokens } = result.totals;
    assert.deepEqual([completedBatches, records, pointsWritten, tokens], [14, 140, 560, 4_200]);
    const outcomes = ledger.reports().filter(({ status }) => status === 'completed');
    assert.deepEqual(
      outcomes.map(({ batch }) => batch).sort((a, b) => a - b),
      [...Array(14).keys()],
    );
    assert.equal(ledger.states().at(-1)?.status, 'completed');
    const snapshot = await snapshotMigration(lab.client, name);
    assert.deepEqual([snapshot.status, snapshot.isOpen, snapshot.totals?.records], ['completed', false, 140]);
  });
});

test('an unexplained fault repeats the batch; one that stays fails it visibly, and the job goes on', async () => {
  const tries = new Map<number, number>();
  const fine = fakeActivities().reconcileBatch;
  const activities = fakeActivities({
    reconcileBatch: async (input) => {
      tries.set(input.batch, (tries.get(input.batch) ?? 0) + 1);
      const isHealed = input.batch === 1 && tries.get(1) === 2;
      if (input.batch === 3 || (input.batch === 1 && !isHealed)) {
        throw ApplicationFailure.nonRetryable('An unexpected TypeError', 'unexpected');
      }
      return fine(input);
    },
  });
  await lab.withWorkers(activities, async () => {
    const { name, handle } = await start({ maxRetries: 1 });
    const result = (await handle.result()) as MigrationResult;
    assert.equal(result.status, 'failed');
    assert.deepEqual([result.totals.completedBatches, result.totals.failedBatches], [3, 1]);
    assert.deepEqual([tries.get(1), tries.get(3)], [2, 2]);
    const failed = lab.client.workflow.getHandle(`migration-${name}/p1/b3`);
    await assert.rejects(failed.result(), (error: Error) => {
      const { type, message } = error.cause as ApplicationFailure;
      assert.equal(type, 'BatchFailed');
      assert.match(message ?? '', /Batch 3 failed 2 times/);
      return true;
    });
  });
});

test('a halting fault pauses the job with its reason and fails nothing; resume runs the same batch again', async () => {
  let isBroken = true;
  const fine = fakeActivities().reconcileBatch;
  const ledger = recordingLedger();
  const ended: string[] = [];
  const activities = fakeActivities({
    ...ledger,
    reconcileBatch: async (input) => {
      if (isBroken) throw ApplicationFailure.nonRetryable('no', 'embedding_access_denied');
      ended.push(Context.current().info.workflowExecution?.workflowId ?? '');
      return fine(input);
    },
  });
  await lab.withWorkers(activities, async () => {
    const { name, handle } = await start();
    await until('paused', async () => (await snapshotMigration(lab.client, name)).status === 'paused');
    const paused = await snapshotMigration(lab.client, name);
    assert.equal(paused.pauseReason, 'embedding_access_denied');
    assert.equal(paused.totals?.failedBatches, 0);
    await until('the ledger says so', () => ledger.states().at(-1)?.status === 'paused');
    assert.equal(ledger.states().at(-1)?.reason, 'embedding_access_denied');
    isBroken = false;
    await resumeMigration(lab.client, name);
    const result = (await handle.result()) as MigrationResult;
    assert.deepEqual([result.status, result.totals.completedBatches], ['completed', 4]);
    assert.deepEqual(
      ended.sort(),
      ['p0/b0', 'p0/b1', 'p1/b2', 'p1/b3'].map((id) => `migration-${name}/${id}`),
    );
  });
});

test('a fault that a batch met before a resume is not reported after it: the batch just runs again', async () => {
  const { promise: resumed, resolve: goOn } = Promise.withResolvers<void>();
  const fine = fakeActivities().reconcileBatch;
  let runs = 0;
  const activities = fakeActivities({
    planPartitions: async () => [fakePartition(0, 1)],
    reconcileBatch: async (input) => {
      if (++runs > 1) return fine(input);
      await resumed;
      throw ApplicationFailure.nonRetryable('no', 'embedding_access_denied');
    },
  });
  await lab.withWorkers(activities, async () => {
    const { name, handle } = await start();
    await until('the batch runs', () => runs === 1);
    await pauseMigration(lab.client, name);
    await resumeMigration(lab.client, name);
    const told = async (): Promise<number> => {
      const { events } = await lab.client.workflow.getHandle(`migration-${name}/p0`).fetchHistory();
      return (events ?? []).filter(({ workflowExecutionSignaledEventAttributes: signal }) => signal).length;
    };
    await until('its partition has been told of both', async () => (await told()) === 2);
    goOn();
    const result = (await handle.result()) as MigrationResult;
    assert.deepEqual([result.status, result.totals.completedBatches, runs], ['completed', 1, 2]);
  });
});

test('a job waits for the ids of an earlier run that was terminated and has children open', async () => {
  const name = randomUUID().slice(0, 8);
  const taken = await Promise.all(
    [`migration-${name}/p0`, `migration-${name}/p1/b2`].map((workflowId) =>
      lab.client.workflow.start('left-behind', { workflowId, taskQueue: 'nobody-polls' }),
    ),
  );
  await lab.withWorkers(fakeActivities(), async () => {
    await startMigration(lab.client, { name, specification: fakeSpecification() });
    const refused = async (): Promise<boolean> => {
      const histories = [`migration-${name}`, `migration-${name}/p1`].map((id) =>
        lab.client.workflow.getHandle(id).fetchHistory(),
      );
      return (await Promise.all(histories)).every(({ events }) =>
        events?.some((event) => event.startChildWorkflowExecutionFailedEventAttributes != null),
      );
    };
    await until('both ids are found taken', () => refused().catch(() => false));
    await Promise.all(taken.map((handle) => handle.terminate()));
    const result = (await lab.client.workflow.getHandle(`migration-${name}`).result()) as MigrationResult;
    assert.deepEqual([result.status, result.totals.completedBatches], ['completed', 4]);
  });
});

test('unexplained faults in planning are repeated too; a partition that cannot be planned fails, the others go on', async () => {
  const calls = new Map<number, number>();
  const fine = fakeActivities().planBatches;
  const activities = fakeActivities({
    planBatches: async (input) => {
      const { index } = input.partition;
      calls.set(index, (calls.get(index) ?? 0) + 1);
      if (index === 0 || calls.get(index) === 1) throw ApplicationFailure.nonRetryable('no', 'unexpected');
      return fine(input);
    },
  });
  await lab.withWorkers(activities, async () => {
    const { handle } = await start({ maxRetries: 1 });
    const result = (await handle.result()) as MigrationResult;
    assert.deepEqual([calls.get(0), calls.get(1)], [2, 2]);
    assert.equal(result.status, 'failed');
    assert.deepEqual([result.totals.completedBatches, result.totals.failedBatches], [2, 2]);
  });
});

test('a job that cannot be prepared completes as failed and says why', async () => {
  const activities = fakeActivities({
    prepareTarget: async () => {
      throw ApplicationFailure.nonRetryable('An unexpected TypeError at somewhere', 'unexpected');
    },
  });
  await lab.withWorkers(activities, async () => {
    const { name, handle } = await start({ maxRetries: 0 });
    const result = (await handle.result()) as MigrationResult;
    assert.deepEqual([result.status, result.failure], ['failed', 'An unexpected TypeError at somewhere']);
    assert.equal((await snapshotMigration(lab.client, name)).failure, result.failure);
  });
});

test('partitions that only wait for the ledger give their slots away, however fast they are', async () => {
  let isOut = true;
  const plan = Array.from({ length: 6 }, (_, k) => fakePartition(k, 1));
  const ledger = recordingLedger();
  const activities = fakeActivities({
    planPartitions: async () => plan,
    mirrorLedger: async (input) => {
      if (isOut) throw ApplicationFailure.retryable('out', 'ledger_unavailable');
      return ledger.mirrorLedger(input);
    },
  });
  await lab.withWorkers(activities, async () => {
    const { name, handle } = await start({ concurrency: 1 });
    await until('all batches have ended', async () => {
      return (await snapshotMigration(lab.client, name)).totals?.completedBatches === 6;
    });
    const { waits } = await snapshotMigration(lab.client, name);
    assert.deepEqual([...new Set(waits.map(({ reason }) => reason))], ['ledger_unavailable']);
    isOut = false;
    assert.equal(((await handle.result()) as MigrationResult).status, 'completed');
    const outcomes = ledger.reports().filter(({ status }) => status === 'completed');
    assert.equal(outcomes.length, 6);
  });
});

test('a name that would collide with the parts of another job is refused', async () => {
  const specification = fakeSpecification();
  for (const name of ['a/p0', '', ' a', 'a\n', 'x'.repeat(201)]) {
    await assert.rejects(startMigration(lab.client, { name, specification }), InputError);
  }
});

test('a halting fault before the first batch pauses with what it says', async () => {
  let isBroken = true;
  const activities = fakeActivities({
    prepareTarget: async () => {
      if (isBroken)
        throw ApplicationFailure.nonRetryable('distance is Dot, expected Cosine', 'target_incompatible');
      return { collection: 'memos_v1', notes: [], hasLedger: false };
    },
  });
  await lab.withWorkers(activities, async () => {
    const { name, handle } = await start();
    await until('paused', async () => (await snapshotMigration(lab.client, name)).status === 'paused');
    const { pauseReason, pauseDetail } = await snapshotMigration(lab.client, name);
    assert.deepEqual([pauseReason, pauseDetail], ['target_incompatible', 'distance is Dot, expected Cosine']);
    isBroken = false;
    await resumeMigration(lab.client, name);
    assert.equal(((await handle.result()) as MigrationResult).status, 'completed');
  });
});

test('pause works while no worker runs: no batch starts before the resume', async () => {
  let batches = 0;
  const fine = fakeActivities().reconcileBatch;
  const activities = fakeActivities({
    reconcileBatch: async (input) => {
      batches++;
      return fine(input);
    },
  });
  const { name, handle } = await start();
  await pauseMigration(lab.client, name);
  const silent = await snapshotMigration(lab.client, name, 1_000);
  assert.deepEqual([silent.status, silent.isOpen], ['unknown', true]);
  await lab.withWorkers(activities, async () => {
    await until('paused', async () => (await snapshotMigration(lab.client, name)).status === 'paused');
    await sleep(500);
    assert.equal(batches, 0);
    await resumeMigration(lab.client, name);
    assert.equal(((await handle.result()) as MigrationResult).status, 'completed');
  });
});

/** A batch that heartbeats until it is cancelled. */
const untilCancelled: Activities['reconcileBatch'] = async () => {
  const context = Context.current();
  const timer = setInterval(() => context.heartbeat(), 200);
  try {
    return await context.cancelled;
  } finally {
    clearInterval(timer);
  }
};

test('cancel reaches every batch in hand; the job completes as cancelled and the ledger says so', async () => {
  const ledger = recordingLedger();
  // The third partition never begins.
  const planPartitions = async () => [0, 1, 2].map((index) => fakePartition(index, 2));
  const activities = fakeActivities({ ...ledger, planPartitions, reconcileBatch: untilCancelled });
  await lab.withWorkers(activities, async () => {
    const { name, handle } = await start();
    await until('two batches in hand', async () => {
      return (await snapshotMigration(lab.client, name)).batchesInHand.length === 2;
    });
    await cancelMigration(lab.client, name);
    const result = (await handle.result()) as MigrationResult;
    assert.equal(result.status, 'cancelled');
    assert.equal(result.totals.cancelledBatches, 6);
    assert.equal(ledger.states().at(-1)?.status, 'cancelled');
    const cancelled = ledger.reports().filter(({ status }) => status === 'cancelled');
    assert.equal(cancelled.length, 2);
  });
});

test('cancelling one batch by hand does not cancel the run', async () => {
  const fine = fakeActivities().reconcileBatch;
  const activities = fakeActivities({
    reconcileBatch: (input) => (input.batch === 0 ? untilCancelled(input) : fine(input)),
  });
  await lab.withWorkers(activities, async () => {
    const { name, handle } = await start();
    const batch = lab.client.workflow.getHandle(`migration-${name}/p0/b0`);
    await until('the batch is in hand', () =>
      batch.describe().then(
        () => true,
        () => false,
      ),
    );
    await sleep(500);
    await batch.cancel();
    const result = (await handle.result()) as MigrationResult;
    assert.equal(result.status, 'failed');
    assert.deepEqual([result.totals.completedBatches, result.totals.cancelledBatches], [3, 1]);
    await assert.rejects(batch.result(), (error: Error) => error.cause instanceof CancelledFailure);
  });
});

test('a partition that is cancelled by hand leaves no job that calls itself completed', async () => {
  await lab.withWorkers(fakeActivities({ reconcileBatch: untilCancelled }), async () => {
    const { name, handle } = await start({ concurrency: 1 });
    for (const index of [0, 1]) {
      const partition = lab.client.workflow.getHandle(`migration-${name}/p${index}`);
      await until('the partition runs', () =>
        partition.describe().then(
          () => true,
          () => false,
        ),
      );
      await partition.cancel();
    }
    const result = (await handle.result()) as MigrationResult;
    assert.deepEqual([result.status, result.totals.cancelledBatches], ['failed', 4]);
  });
});

test('one open run a name: a second start is refused, attach checks the specification', async () => {
  const { name, handle } = await start();
  const specification = fakeSpecification();
  await assert.rejects(startMigration(lab.client, { name, specification }), AlreadyOpenError);
  const attached = await startMigration(lab.client, { name, specification }, { attach: true });
  assert.equal(attached.isNew, false);
  await assert.rejects(
    startMigration(
      lab.client,
      { name, specification: fakeSpecification({ batchSize: 11, limit: 5 }) },
      { attach: true },
    ),
    (error: unknown) => error instanceof InputError && /limit, batchSize/.test(error.message),
  );
  await handle.terminate();
});
