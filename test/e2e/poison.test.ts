import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, until, type WorkerProcess } from '../support/lab.ts';
import { createTable, distinctRows, insertRows, type Row } from '../support/rows.ts';

const POISON = 'zebra-poison';
const BATCH_SIZE = 150;
/** So few that a batch needs several requests. */
const MAX_INPUTS = 200;
/** Places of poisonous rows within each batch: none; one; several, the first, the last and neighbours among them. */
const PLACES = [[], [70], [0, 20, 21, 22, 149]];
const COLLECTION = 'poisoned';
const JOB = `ip_summary-to-${COLLECTION}`;

const rows: Row[] = distinctRows(BATCH_SIZE * PLACES.length).map(({ id, content }, k) => {
  const batch = Math.floor(k / BATCH_SIZE);
  const isPoison = PLACES[batch]?.includes(k % BATCH_SIZE) === true;
  return { id, tenant: `batch-${batch}`, content: isPoison ? `${content} Here is ${POISON}.` : content };
});
const poisoned = rows.filter(({ content }) => content?.includes(POISON));

let lab: Lab;
let worker: WorkerProcess;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: String(BATCH_SIZE), OPENAI_MAX_INPUTS: String(MAX_INPUTS) });
  await createTable(lab.sql);
  await insertRows(lab.sql, rows);
  worker = await lab.worker();
});
after(() => lab.close());

/** Texts of each batch: all, those of rows with a poisonous text, and the poisonous ones. */
let batches: { inputs: number; ofPoisonedRows: number; poisonous: number }[];
let requestsWithoutPoison: number;

test('without poison: what the batches need', async () => {
  const { status } = await lab.migrate();
  assert.equal(status, 'completed');
  requestsWithoutPoison = (await lab.embeddings.counters()).requests;
  assert.ok(requestsWithoutPoison > PLACES.length, 'several requests a batch');
  const children = (await lab.qdrant.points()).filter(({ payload }) => payload['type'] === 'child');
  const isPoison = (text: unknown): boolean => String(text).includes(POISON);
  const parents = (some: typeof children) => new Set(some.map(({ payload }) => payload['parent_id']));
  batches = PLACES.map((_, batch) => {
    const own = children.filter(({ payload }) => payload['member_code'] === `batch-${batch}`);
    const poisonous = own.filter(({ payload }) => isPoison(payload['text']));
    const rowsOf = parents(poisonous);
    const ofPoisonedRows = own.filter(({ payload }) => rowsOf.has(payload['parent_id'])).length;
    return { inputs: own.length, ofPoisonedRows, poisonous: poisonous.length };
  });
  assert.deepEqual(
    batches.map(({ poisonous }) => poisonous),
    PLACES.map((places) => places.length),
    'each row is one parent and has one poisonous child',
  );
});

test('n poisonous inputs of a batch: at most 2·n·log2(inputs) requests beyond and one probe; all else is written', async () => {
  await lab.embeddings.behave({ refuse: [POISON] });
  const before = await lab.embeddings.counters();
  const { status, totals, jobId } = await migrateAnew();
  assert.deepEqual([status, totals.failed, totals.written], ['completed', 6, rows.length - 6]);
  const { requests, inputs } = await lab.embeddings.counters();
  const probes = 2;
  const extra = requests - before.requests - requestsWithoutPoison - probes;
  const bound = sum(batches.map(({ inputs, poisonous }) => 2 * poisonous * Math.log2(inputs)));
  console.log(`    ${extra} requests beyond ${requestsWithoutPoison}, bound ${bound.toFixed(1)}`);
  assert.ok(extra > 0 && extra <= bound, `${extra} requests beyond, ${bound} allowed`);
  const taken = sum(batches.map(({ inputs, poisonous }) => inputs - poisonous));
  assert.equal(inputs - before.inputs, taken + probes, 'every other input is paid once');
  await assertExcused(jobId);
});

test('the same again: only the poisonous records are looked at, within the same bound', async () => {
  const before = await lab.embeddings.counters();
  const { totals, jobId } = await migrateAnew();
  assert.deepEqual([totals.failed, totals.unchanged, totals.written], [6, rows.length - 6, 0]);
  const { requests, inputs } = await lab.embeddings.counters();
  const bad = batches.filter(({ poisonous }) => poisonous > 0);
  const bound = sum(
    // One request, one probe.
    bad.map(({ ofPoisonedRows, poisonous }) => 2 + 2 * poisonous * Math.log2(ofPoisonedRows)),
  );
  console.log(`    ${requests - before.requests} requests, bound ${bound.toFixed(1)}`);
  assert.ok(requests - before.requests <= bound);
  const siblings = sum(bad.map(({ ofPoisonedRows, poisonous }) => ofPoisonedRows - poisonous));
  assert.equal(inputs - before.inputs, siblings + bad.length, 'other texts of these rows, and the probes');
  await assertExcused(jobId);
});

test('once the service takes them, they alone are written', async () => {
  await lab.embeddings.behaveNormally();
  const { status, totals } = await migrateAnew();
  assert.deepEqual([status, totals.failed, totals.written], ['completed', 0, 6]);
  assert.equal((await lab.audit({ collection: COLLECTION })).ok, true);
  assert.doesNotMatch(worker.log(), new RegExp(POISON));
});

/** Into a collection of its own. */
async function migrateAnew() {
  const settings = { QDRANT_COLLECTION_NAME: COLLECTION };
  const started = await lab.ferryWith(settings, 'start', '--detach', '--no-preflight');
  assert.equal(started.code, 0, started.stderr);
  return lab.result(JOB);
}

/** All other records are exact, and the failed ones are listed with their code. */
async function assertExcused(jobId: string): Promise<void> {
  const failedIds = poisoned.map(({ id }) => id);
  const report = await lab.audit({ collection: COLLECTION, failedIds });
  assert.deepEqual([report.ok, report.excusedRows], [true, failedIds.length], JSON.stringify(report));
  await until('the ledger lists them', 15_000, async () => {
    const failures = await lab.ledger<{ record_id: string; code: string }>(
      `ingestion_failure?job_id=eq.${jobId}&select=record_id::text,code&order=record_id`,
    );
    const listed = failures.map(({ record_id, code }) => `${record_id} ${code}`);
    return listed.join() === failedIds.map((id) => `${id} embedding_refused`).join();
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
