import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceName } from '../../src/stack/service.ts';
import { Lab, until } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';

const ROWS = 600;
const OUT_MS = 45_000;

/** A migration of 600 rows in 30 batches that takes about 30 s without an outage, five batches in. */
async function underWay(settings: Record<string, string> = {}): Promise<Lab> {
  const lab = await Lab.open({ BATCH_SIZE: '20', MAX_WORKERS: '3', ...settings });
  try {
    await createTable(lab.sql);
    await insertRows(lab.sql, distinctRows(ROWS));
    await lab.embeddings.behave({ latencyMs: 2_000 });
    await lab.worker();
    const started = await lab.ferry('start', '--detach', '--no-preflight');
    assert.equal(started.code, 0, started.stderr);
    await until(
      'five batches have ended',
      60_000,
      async () => ((await lab.snapshot()).totals?.completedBatches ?? 0) >= 5,
    );
    return lab;
  } catch (error) {
    await lab.close();
    throw error;
  }
}

async function assertProven(lab: Lab): Promise<void> {
  const { status, totals, jobId } = await lab.result();
  assert.deepEqual([status, totals.failed, totals.failedBatches, totals.records], ['completed', 0, 0, ROWS]);
  const report = await lab.audit({ jobId });
  assert.deepEqual([report.ok, report.rowsWithContent, report.missing.count], [true, ROWS, 0]);
  const { inputs, distinctTexts } = await lab.embeddings.counters();
  assert.equal(inputs, distinctTexts, 'nothing is paid twice');
}

describe(
  'a service stopped for 45 s in mid-run: the run completes, nothing is failed, lost or paid twice',
  { concurrency: 3 },
  () => {
    const reasons: [ServiceName, RegExp][] = [
      ['qdrant', /^target_unavailable$/],
      ['mariadb', /^source_unavailable$/],
      ['embeddings', /^embedding_unavailable$/],
    ];
    for (const [service, reason] of reasons) {
      test(service, async () => {
        const lab = await underWay();
        try {
          await lab.stack.stop(service);
          const back = Date.now() + OUT_MS;
          await until('batches say what they wait for', 30_000, async () =>
            (await lab.snapshot()).waits.some((wait) => reason.test(wait.reason)),
          );
          await sleep(back - Date.now());
          await lab.stack.start(service);
          await assertProven(lab);
        } finally {
          await lab.close();
        }
      });
    }
  },
);

test('PostgREST stopped for 60 s: batches keep starting and finishing, and the ledger is exact 15 s after it is back', async () => {
  // 120 batches in 32 partitions, more than the two slots.
  const lab = await underWay({ BATCH_SIZE: '5', MAX_WORKERS: '2' });
  try {
    await lab.stack.stop('postgrest');
    const completed: number[] = [];
    const partitions = new Set<string>();
    for (let i = 0; i < 12; i++) {
      await sleep(5_000);
      const { totals, batchesInHand } = await lab.snapshot();
      completed.push(totals?.completedBatches ?? 0);
      for (const id of batchesInHand) partitions.add(id.split('/')[1] ?? '');
    }
    completed
      .slice(1)
      .forEach((count, i) => assert.ok(count > (completed[i] ?? 0), `stood still: ${completed.join()}`));
    assert.ok(partitions.size > 2, 'partitions that wait for the ledger give their slots away');
    await lab.stack.start('postgrest');
    const { jobId } = await lab.snapshot();
    await sleep(15_000);
    const [job] = await lab.ledger<Record<string, number>>(`ingestion_job?id=eq.${jobId}`);
    const batches = await lab.ledger<Record<string, number | string>>(`ingestion_batch?job_id=eq.${jobId}`);
    const known = (await lab.snapshot()).totals;
    const done = batches.filter(({ status }) => status === 'completed').length;
    assert.equal(job?.['completed_batches'], done);
    assert.ok(done >= (completed.at(-1) ?? 0), `${done} mirrored, ${completed.at(-1)} had ended`);
    assert.ok(
      (known?.completedBatches ?? 0) - done <= 2,
      'no more behind than the batches that are just ending',
    );
    await lab.embeddings.behaveNormally();
    await assertProven(lab);
  } finally {
    await lab.close();
  }
});
