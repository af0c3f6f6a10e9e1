import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab } from '../support/lab.ts';
import { createTable, insertRows, snowflake } from '../support/rows.ts';

const ROWS = 30;
const WORKERS = 3;
const SLOTS = 16;
/** Of a row, as budgets count them (UTF-8 bytes / 4). Each row is one text, in a batch and a request of its own. */
const TOKENS_PER_ROW = 50;
/** A row a second: far slower than any machine, so that all that is not paced is refused. */
const TOKENS_PER_MINUTE = 60 * TOKENS_PER_ROW;

let lab: Lab;
before(async () => {
  lab = await Lab.open({
    WORKER_SLOTS: String(SLOTS),
    BATCH_SIZE: '1',
    MAX_WORKERS: String(WORKERS * SLOTS),
  });
  await createTable(lab.sql);
  await insertRows(
    lab.sql,
    Array.from({ length: ROWS }, (_, k) => ({
      id: snowflake(k),
      tenant: 'acme',
      content: `${`Row ${k} ${'in a storm '.repeat(20)}`.slice(0, 4 * TOKENS_PER_ROW - 1)}.`,
    })),
  );
});
after(() => lab.close());

/** Takes all that a full budget has, so that the first request of the job has to wait already. */
async function spendBudget(): Promise<void> {
  const { status } = await fetch(`${lab.env['OPENAI_BASE_URL']}/embeddings`, {
    method: 'POST',
    headers: { authorization: `Bearer ${lab.env['OPENAI_API_KEY']}` },
    body: JSON.stringify({ model: 'text-embedding-3-small', input: 'x'.repeat(4 * TOKENS_PER_MINUTE) }),
  });
  assert.equal(status, 200);
}

test('three workers with 16 slots each and a budget far too small: few are refused, and nothing is paid twice', async () => {
  await Promise.all(Array.from({ length: WORKERS }, () => lab.worker()));
  await lab.embeddings.behave({ tpm: TOKENS_PER_MINUTE });
  await lab.embeddings.reset();
  await spendBudget();
  const spent = await lab.embeddings.counters();
  const { status, totals, jobId } = await lab.migrate();
  assert.deepEqual([status, totals.written, totals.failed], ['completed', ROWS, 0]);
  const { inputs, distinctTexts, paidRequests, requests, statuses } = await lab.embeddings.counters();
  assert.deepEqual([inputs - spent.inputs, distinctTexts - spent.distinctTexts], [ROWS, ROWS]);
  const refused = statuses['429'] ?? 0;
  assert.equal(requests, paidRequests + refused);
  // In simulations with these figures, the job's first request up to 12 s after the spending: 0 to 6; with the headers of
  // the budget ignored 22 to 85, Retry-After heeded or not.
  assert.ok(refused <= ROWS / 2, `${refused} requests were refused for ${ROWS} rows`);
  const report = await lab.audit({ jobId, noForeign: true });
  assert.deepEqual([report.ok, report.rowsWithContent], [true, ROWS]);
});
