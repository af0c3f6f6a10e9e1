import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endedBatches } from '../../src/job/outcome.ts';
import { Lab, until } from '../support/lab.ts';
import { createTable, distinctText, insertRows, snowflake } from '../support/rows.ts';

const BATCHES = 200;
const ROWS_PER_BATCH = 2;
const ROWS = BATCHES * ROWS_PER_BATCH;
/** Temporal suggests it after thousands of events; a batch takes about nine. */
const EVENTS = 25;

/** Starts a job of many small batches on a Temporal that suggests to continue as new all the time. */
async function underWay(): Promise<Lab> {
  process.env['FERRY_STACK_TEMPORAL_CONFIG'] = `limit.historyCount.suggestContinueAsNew=${EVENTS}`;
  const lab = await Lab.open({ BATCH_SIZE: String(ROWS_PER_BATCH), MAX_WORKERS: '2' }).finally(() => {
    delete process.env['FERRY_STACK_TEMPORAL_CONFIG'];
  });
  await createTable(lab.sql);
  await insertRows(
    lab.sql,
    Array.from({ length: ROWS }, (_, k) => ({
      id: snowflake(k),
      tenant: `tenant-${k % 5}`,
      content: distinctText(String(k), 30),
    })),
  );
  await lab.worker();
  const started = await lab.ferry('start', '--detach', '--no-preflight');
  assert.equal(started.code, 0, started.stderr);
  return lab;
}

async function ended(lab: Lab): Promise<number> {
  const { totals } = await lab.snapshot();
  return totals === null ? 0 : endedBatches(totals);
}

async function untilEnded(lab: Lab, batches: number): Promise<void> {
  await until(`${batches} batches have ended`, 180_000, async () => (await ended(lab)) >= batches);
}

/** Closed executions of partitions that another one goes on from. */
async function continuations(lab: Lab): Promise<number> {
  const query = "WorkflowType = 'partition' AND ExecutionStatus = 'ContinuedAsNew'";
  return (await lab.client.workflow.count(query)).count;
}

/** Pauses the job and looks whether it stands still; then resumes it. */
async function pauseAndResume(lab: Lab): Promise<void> {
  assert.equal((await lab.ferry('pause')).code, 0);
  await until('no batch is in hand', 60_000, async () => (await lab.snapshot()).batchesInHand.length === 0);
  const before = await ended(lab);
  await sleep(3_000);
  assert.equal(await ended(lab), before, 'a paused job starts no batch, whoever has continued as new');
  assert.equal((await lab.ferry('resume')).code, 0);
}

test('partitions that continue as new all the time, over pauses, without the ledger and past a kill, lose nothing', async () => {
  const lab = await underWay();
  try {
    await untilEnded(lab, 20);
    await pauseAndResume(lab);
    await untilEnded(lab, 50);

    await lab.stack.stop('postgrest');
    const beforeOutage = await continuations(lab);
    await untilEnded(lab, 90);
    await pauseAndResume(lab);
    await untilEnded(lab, 120);
    assert.ok((await continuations(lab)) > beforeOutage, 'with reports that the ledger does not have yet');
    assert.ok(((await lab.snapshot()).unmirrored ?? 0) > 0, 'the ledger is behind');
    await lab.stack.start('postgrest');

    const killed = await lab.worker();
    await untilEnded(lab, 140);
    await killed.kill();

    const { jobId, status, plan, totals } = await lab.result();
    assert.deepEqual([status, plan?.batches], ['completed', BATCHES]);
    assert.deepEqual(
      [
        totals.completedBatches,
        totals.failedBatches,
        totals.cancelledBatches,
        totals.records,
        totals.written,
      ],
      [BATCHES, 0, 0, ROWS, ROWS],
    );
    // Every partition has six batches, and continues after every second or third.
    const count = await continuations(lab);
    assert.ok(count >= BATCHES / 5, `${count} continuations`);

    const report = await lab.audit({ jobId });
    const { missing, extra, wrong } = report;
    assert.deepEqual(
      [report.ok, report.rowsWithContent],
      [true, ROWS],
      JSON.stringify({ missing, extra, wrong }),
    );
    const { inputs, distinctTexts } = await lab.embeddings.counters();
    const inHand = 2 * ROWS_PER_BATCH;
    assert.ok(
      inputs - distinctTexts <= inHand,
      `the kill may cost ${inHand} inputs, not ${inputs - distinctTexts}`,
    );

    const [job] = await lab.ledger<Record<string, unknown>>(`ingestion_job?id=eq.${jobId}`);
    assert.deepEqual(
      [job?.['status'], job?.['total_batches'], job?.['completed_batches'], job?.['processed_records']],
      ['completed', BATCHES, BATCHES, ROWS],
    );
    const batches = await lab.ledger<Record<string, unknown>>(
      `ingestion_batch?job_id=eq.${jobId}&order=batch_number`,
    );
    assert.deepEqual(
      batches.map((row) => [row['batch_number'], row['status'], row['processed_count']]),
      Array.from({ length: BATCHES }, (_, k) => [k, 'completed', ROWS_PER_BATCH]),
    );
  } finally {
    await lab.close();
  }
});
