import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { printAudit } from '../support/audit.ts';
import { holderOfBatch } from '../support/holder.ts';
import { inputsInHand } from '../support/inputs-in-hand.ts';
import { Lab, type WorkerProcess } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';

// 5,000 rows with a kill every 10 s take six minutes: `npm run long -- kills`.
const ROWS = 1_500;
const LATENCY_MS = 2_500;
const KILL_EVERY_MS = 6_000;
let lab: Lab;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: '20', MAX_WORKERS: '5' });
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
});
after(() => lab.close());

test('a worker with a batch in hand killed every 6 s: nothing missing, doubled or paid in vain', async () => {
  await lab.embeddings.behave({ latencyMs: LATENCY_MS });
  const workers = new Map<number, WorkerProcess>();
  const hire = async (): Promise<void> => {
    const worker = await lab.worker();
    workers.set(worker.pid, worker);
  };
  await Promise.all([hire(), hire()]);
  const begin = Date.now();
  // Preflight would pay for a word that no row has.
  const started = await lab.ferry('start', '--detach', '--no-preflight');
  assert.equal(started.code, 0, started.stderr);

  let isOpen = true;
  const result = lab.result().finally(() => (isOpen = false));
  let kills = 0;
  let unacknowledged = 0;
  for (let next = Date.now() + KILL_EVERY_MS; ; next += KILL_EVERY_MS) {
    while (isOpen && Date.now() < next) await sleep(100);
    if (!isOpen) break;
    const victim = workers.get((await holderOfBatch(lab)) ?? 0);
    if (victim === undefined) continue;
    workers.delete(victim.pid);
    await victim.kill();
    kills++;
    const replacement = hire();
    unacknowledged += await inputsInHand(lab, [victim.pid], LATENCY_MS + 500);
    await replacement;
  }
  const { status, totals } = await result;
  const seconds = (Date.now() - begin) / 1_000;
  const { inputs, distinctTexts } = await lab.embeddings.counters();
  console.log(
    `    ${kills} kills in ${seconds.toFixed(0)} s; ${inputs} inputs paid, ${distinctTexts} distinct; ` +
      `${inputs - distinctTexts} paid again <= ${unacknowledged} in hand at the kills`,
  );
  assert.ok(kills >= 8, `${kills} kills are too few to prove anything`);
  assert.deepEqual([status, totals.failed, totals.records], ['completed', 0, ROWS]);
  const report = await lab.audit();
  printAudit(report);
  assert.deepEqual([report.ok, report.rowsWithContent], [true, ROWS]);
  assert.equal(distinctTexts, report.children, 'all child texts are distinct');
  assert.ok(inputs - distinctTexts <= unacknowledged);
});

test('starting again after the end embeds nothing and writes nothing', async () => {
  await lab.embeddings.behaveNormally();
  const paid = await lab.embeddings.counters();
  const points = await lab.qdrant.counters();
  const { status, totals } = await lab.migrate();
  assert.deepEqual([status, totals.unchanged, totals.written], ['completed', ROWS, 0]);
  assert.equal((await lab.embeddings.counters()).inputs, paid.inputs);
  const { written, changed, deleted } = await lab.qdrant.counters();
  assert.deepEqual([written, changed, deleted], [points.written, points.changed, points.deleted]);
});
