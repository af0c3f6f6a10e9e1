import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, until, type WorkerProcess } from '../support/lab.ts';
import { createTable, distinctRows, insertRows, snowflake, updateRow } from '../support/rows.ts';

const ROWS = 100;

let lab: Lab;
let worker: WorkerProcess;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: '20' });
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
  worker = await lab.worker();
});
after(() => lab.close());

test('a wrong API key pauses the run with the reason and fails nothing; after it is put right, resume completes it', async () => {
  await worker.kill('SIGTERM');
  worker = await lab.worker({ OPENAI_API_KEY: 'sk-wrong-canary' });
  const started = await lab.ferry('start', '--detach', '--no-preflight');
  assert.equal(started.code, 0, started.stderr);
  await until('paused', 10_000, async () => (await lab.snapshot()).status === 'paused');
  const paused = await lab.snapshot();
  assert.equal(paused.pauseReason, 'embedding_access_denied');
  assert.deepEqual([paused.totals?.failed, paused.totals?.failedBatches], [0, 0]);
  const status = await lab.ferry('status');
  assert.match(status.stdout, /paused: embedding_access_denied.*OPENAI_API_KEY.*ferry resume/s);
  assert.doesNotMatch(worker.log() + status.stdout, /canary/);
  await worker.kill('SIGTERM');
  worker = await lab.worker();
  assert.equal((await lab.ferry('resume')).code, 0);
  const { status: end, totals } = await lab.result();
  assert.deepEqual([end, totals.written, totals.failed], ['completed', ROWS, 0]);
});

test('a record that the embedding service refuses is the only one failed', async () => {
  const poison = 'zebra-poison';
  await updateRow(lab.sql, { id: snowflake(33), tenant: 'acme', content: `A text with ${poison} in it.` });
  for (const index of [31, 35, 39]) {
    await updateRow(lab.sql, { id: snowflake(index), tenant: 'acme', content: `Fine text number ${index}.` });
  }
  await lab.embeddings.behave({ refuse: [poison] });
  const followed = await lab.ferry('start', '--attach');
  assert.equal(followed.code, 1, 'failed records make the exit code 1');
  const { totals, status, jobId } = await lab.result();
  assert.deepEqual([status, totals.failed, totals.written, totals.unchanged], ['completed', 1, 3, ROWS - 4]);
  const report = await lab.audit({ failedIds: [snowflake(33)] });
  assert.deepEqual([report.ok, report.excusedRows], [true, 1]);
  await until('the ledger lists it', 15_000, async () => {
    const failures = await lab.ledger<Record<string, unknown>>(
      `ingestion_failure?job_id=eq.${jobId}&select=record_id::text,code,message`,
    );
    return failures.length === 1 && failures[0]?.['record_id'] === String(snowflake(33));
  });
  const [failure] = await lab.ledger<Record<string, string>>(`ingestion_failure?job_id=eq.${jobId}`);
  assert.equal(failure?.['code'], 'embedding_refused');
  assert.doesNotMatch(JSON.stringify(failure) + worker.log(), /zebra/);
  await lab.embeddings.behaveNormally();
  assert.equal((await lab.migrate()).totals.written, 1);
  assert.equal((await lab.audit()).ok, true);
});
