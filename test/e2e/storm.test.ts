import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';

const ROWS = 200;
const WORKERS = 3;
const SLOTS = 16;
/** A minute's worth of it is there at first; the rest, about half as much again, has to be waited for. */
const TOKENS_PER_MINUTE = 60_000;

let lab: Lab;
before(async () => {
  lab = await Lab.open({
    WORKER_SLOTS: String(SLOTS),
    BATCH_SIZE: '4',
    MAX_WORKERS: String(WORKERS * SLOTS),
  });
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
});
after(() => lab.close());

test('three workers with 16 slots each and a budget far too small: few are refused, and nothing is paid twice', async () => {
  await Promise.all(Array.from({ length: WORKERS }, () => lab.worker()));
  await lab.embeddings.behave({ tpm: TOKENS_PER_MINUTE });
  await lab.embeddings.reset();
  const { status, totals, jobId } = await lab.migrate();
  assert.deepEqual([status, totals.written, totals.failed], ['completed', ROWS, 0]);
  const { inputs, distinctTexts, paidRequests, requests, tokens, statuses } = await lab.embeddings.counters();
  assert.ok(tokens > TOKENS_PER_MINUTE, 'the budget was too small');
  assert.equal(inputs, distinctTexts);
  const refused = statuses['429'] ?? 0;
  assert.equal(requests, paidRequests + refused);
  // A seventh of them at most in all measurements.
  assert.ok(refused <= paidRequests / 2, `${refused} requests were refused, ${paidRequests} were answered`);
  const report = await lab.audit({ jobId, noForeign: true });
  assert.deepEqual([report.ok, report.rowsWithContent], [true, ROWS]);
});
