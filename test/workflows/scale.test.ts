import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/activity';
import { startMigration } from '../../src/client/start.ts';
import { TASK_QUEUE } from '../../src/job/job.ts';
import type { MigrationResult } from '../../src/job/job.ts';
import type { BatchReport, Totals } from '../../src/job/outcome.ts';
import { BatchEnds, planPartitions } from '../../src/planning/plan.ts';
import { fakeActivities, fakeJob, fakePartition, temporalLab } from '../support/temporal.ts';
import { fakeSpecification } from '../support/specification.ts';
import type { TemporalLab } from '../support/temporal.ts';

let lab: TemporalLab;
before(async () => {
  lab = await temporalLab();
});
after(() => lab.close());

test('600 batches and a ledger that is out until the last has ended: continues as new, each outcome mirrored once', async () => {
  // A partition continues as new after some 450.
  const BATCHES = 600;
  let ended = 0;
  const mirrored: BatchReport[] = [];
  const fine = fakeActivities().reconcileBatch;
  const activities = fakeActivities({
    reconcileBatch: async (input) => {
      const result = await fine(input);
      ended = Math.max(ended, input.batch + 1);
      return result;
    },
    mirrorLedger: async ({ update }) => {
      if (ended < BATCHES) throw ApplicationFailure.retryable('out', 'ledger_unavailable');
      mirrored.push(...update.batches);
    },
  });
  await lab.withWorkers(activities, async () => {
    const workflowId = `partition-${randomUUID()}`;
    const handle = await lab.client.workflow.start('partition', {
      workflowId,
      taskQueue: TASK_QUEUE,
      args: [
        {
          job: fakeJob(fakeSpecification({ patienceMs: 3_600_000 })),
          partition: fakePartition(0, BATCHES),
          paused: false,
          epoch: 0,
        },
      ],
    });
    const totals = (await handle.result()) as Totals;
    assert.deepEqual([totals.completedBatches, totals.records], [BATCHES, 10 * BATCHES]);
    let runs = 0;
    for await (const run of lab.client.workflow.list({ query: `WorkflowId = '${workflowId}'` })) {
      runs++;
      assert.ok(run.historyLength < 10_240, `a history of ${run.historyLength} events is over the warning`);
    }
    console.log(`    ${runs} runs`);
    assert.ok(runs >= 2, 'continued as new at least once');
    const outcomes = mirrored.filter(({ status }) => status === 'completed');
    assert.equal(outcomes.length, BATCHES, 'each outcome once');
    assert.equal(new Set(outcomes.map(({ batch }) => batch)).size, BATCHES);
    for (const outcome of outcomes) {
      const others = mirrored.filter(({ batch }) => batch === outcome.batch);
      assert.equal(Math.max(...others.map(({ sequence }) => sequence)), outcome.sequence);
    }
  });
});

test('a plan for 895,176 ids stays under 2,500 events in the root at the default settings', async () => {
  const ends = new BatchEnds(100);
  for (let i = 0; i < 895_176; i++) ends.add([BigInt(i) * 4_096n]);
  const plan = planPartitions(
    { ends: ends.ends, records: ends.records, batchSize: 100 },
    { concurrency: 5, prune: false, wholeTable: true },
  );
  const workflows = fileURLToPath(new URL('./scale-workflows.ts', import.meta.url));
  const activities = fakeActivities({ planPartitions: async () => plan });
  await lab.withWorkers(
    activities,
    async () => {
      const name = randomUUID().slice(0, 8);
      const specification = fakeSpecification({ batchSize: 100, concurrency: 5 });
      await startMigration(lab.client, { name, specification });
      const handle = lab.client.workflow.getHandle(`migration-${name}`);
      const result = (await handle.result()) as MigrationResult;
      assert.deepEqual(result.plan, { partitions: 80, batches: 8_952, records: 895_176 });
      assert.equal(result.totals.records, 895_176);
      await sleep(200);
      const { historyLength } = await handle.describe();
      console.log(`    ${historyLength} events in the root`);
      assert.ok(historyLength < 2_500);
    },
    workflows,
  );
});
