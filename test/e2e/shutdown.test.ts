import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab, until } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';

const ROWS = 200;

let lab: Lab;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: '20', MAX_WORKERS: '4', WORKER_SHUTDOWN_SECONDS: '1' });
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
});
after(() => lab.close());

test('workers stopped by SIGTERM write what they have paid for and hand over', async () => {
  // Longer than the grace time: what is on its way at the signal is completed all the same.
  await lab.embeddings.behave({ latencyMs: 3_000 });
  let worker = await lab.worker();
  const started = await lab.ferry('start', '--detach', '--no-preflight');
  assert.equal(started.code, 0, started.stderr);
  for (let round = 0; round < 3; round++) {
    await until('batches are in hand', 20_000, async () => (await lab.snapshot()).batchesInHand.length > 0);
    await sleep(700);
    const begin = Date.now();
    await worker.kill('SIGTERM');
    assert.ok(Date.now() - begin < 15_000, 'it does not wait for the end of the job');
    worker = await lab.worker();
  }
  const { status, totals } = await lab.result();
  assert.deepEqual([status, totals.failed, totals.records], ['completed', 0, ROWS]);
  const { inputs, distinctTexts } = await lab.embeddings.counters();
  assert.equal(inputs, distinctTexts, 'nothing is paid twice');
  assert.equal((await lab.audit()).ok, true);
});
