import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, until, type WorkerProcess } from '../support/lab.ts';
import { createTable, deleteRow, distinctText, insertRows, snowflake, updateRow } from '../support/rows.ts';

const ROWS = 60;
/** Long enough for several children. */
const TOKENS = 600;

let lab: Lab;
let worker: WorkerProcess;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: '10', MAX_WORKERS: '3' });
  worker = await lab.worker();
});
after(() => lab.close());

const row = (
  index: number,
  content: string | null = distinctText(String(index), TOKENS),
  tenant = 'acme',
) => ({
  id: snowflake(index),
  tenant,
  content,
});

/** A fresh table and collection of {@link ROWS} rows, migrated. */
async function migrated(): Promise<void> {
  await createTable(lab.sql);
  await insertRows(
    lab.sql,
    Array.from({ length: ROWS }, (_, k) => row(k)),
  );
  const { status, totals } = await lab.migrate('--prune');
  assert.deepEqual([status, totals.failed], ['completed', 0]);
}

/** What a run made the embeddings server take, and changed in the target. */
async function cost(run: () => Promise<unknown>) {
  const before = { paid: await lab.embeddings.counters(), points: await lab.qdrant.counters() };
  await run();
  const now = { paid: await lab.embeddings.counters(), points: await lab.qdrant.counters() };
  return {
    inputs: now.paid.inputs - before.paid.inputs,
    distinct: now.paid.distinctTexts - before.paid.distinctTexts,
    deleted: now.points.deleted - before.points.deleted,
  };
}

const pointsOf = async (index: number) => {
  // Scrolled ids are rounded by JSON, so records are told by the text of their chunks.
  const own = `of record ${index} `;
  return (await lab.qdrant.points()).filter(({ payload }) => String(payload['text']).includes(own));
};

test('an edited record embeds exactly its changed texts; associations and foreign keys survive', async () => {
  await migrated();
  const before = await pointsOf(5);
  await lab.qdrant.setPayload(
    before.map(({ id }) => id),
    { collection_ids: [3, 4], note: 'by the application' },
  );
  // The last sentence changes: only the last child's text does.
  const content = distinctText('5', TOKENS);
  await updateRow(
    lab.sql,
    row(5, `${content.slice(0, content.lastIndexOf('Sentence'))}Sentence of record 5 that is new.`),
  );
  const { inputs, distinct } = await cost(async () => {
    const { totals } = await lab.migrate();
    assert.deepEqual([totals.written, totals.unchanged], [1, ROWS - 1]);
  });
  const texts = new Set(before.map(({ payload }) => payload['text']));
  const after = await pointsOf(5);
  const changed = after.filter(({ payload }) => payload['type'] === 'child' && !texts.has(payload['text']));
  assert.ok(changed.length > 0 && changed.length < before.length / 2);
  assert.deepEqual([inputs, distinct], [changed.length, changed.length]);
  for (const { payload } of after) {
    assert.deepEqual([payload['collection_ids'], payload['note']], [[3, 4], 'by the application']);
  }
  assert.equal((await lab.audit()).ok, true);
});

test('a record that grows pays for its new texts only, and its new points inherit the associations', async () => {
  const before = await pointsOf(7);
  await lab.qdrant.setPayload(
    before.map(({ id }) => id),
    { collection_ids: [9] },
  );
  await updateRow(lab.sql, row(7, distinctText('7', 3 * TOKENS)));
  const { inputs } = await cost(() => lab.migrate());
  const after = await pointsOf(7);
  const known = new Set(before.map(({ payload }) => payload['text']));
  const added = after.filter(({ payload }) => payload['type'] === 'child' && !known.has(payload['text']));
  assert.equal(inputs, added.length);
  for (const { payload } of after) assert.deepEqual(payload['collection_ids'], [9]);
  assert.equal((await lab.audit()).ok, true);
});

test('shrunk, emptied, blank and NULL records leave no stale chunk', async () => {
  await updateRow(lab.sql, row(10, distinctText('10', 40)));
  await updateRow(lab.sql, row(11, ''));
  await updateRow(lab.sql, row(12, ' \n\t '));
  await updateRow(lab.sql, row(13, null));
  const { inputs } = await cost(async () => {
    const { totals } = await lab.migrate();
    assert.deepEqual([totals.written, totals.skipped], [1, 3]);
  });
  assert.equal(inputs, 1, 'the shrunk record has one child');
  assert.deepEqual(
    [(await pointsOf(11)).length, (await pointsOf(12)).length, (await pointsOf(13)).length],
    [0, 0, 0],
  );
  assert.equal((await lab.audit()).ok, true);
});

test('a move to another tenant embeds nothing', async () => {
  await updateRow(lab.sql, row(20, distinctText('20', TOKENS), 'bolt'));
  const { inputs } = await cost(async () => {
    const { totals } = await lab.migrate();
    assert.equal(totals.written, 1);
  });
  assert.equal(inputs, 0);
  for (const { payload } of await pointsOf(20)) assert.equal(payload['member_code'], 'bolt');
  assert.equal((await lab.audit()).ok, true);
});

test('deleted rows, the lowest and the highest id among them: counted without --prune, gone with it', async () => {
  for (const index of [0, 30, ROWS - 1]) await deleteRow(lab.sql, snowflake(index));
  const { totals } = await lab.migrate();
  assert.equal(totals.pointsDeleted, 0);
  // The highest lies above the last planned id; without --prune that is the next run's.
  assert.equal(totals.orphans, 2);
  const { inputs } = await cost(async () => {
    const pruned = await lab.migrate('--prune');
    assert.equal(pruned.totals.orphans, 3);
  });
  assert.equal(inputs, 0);
  const report = await lab.audit();
  assert.deepEqual([report.ok, report.extra.count], [true, 0]);
});

test('points of another source and of the application are counted and never touched', async () => {
  const mine = (await lab.qdrant.points()).length;
  const started = await lab.ferryWith(
    { SOURCE_LABEL: 'elsewhere' },
    'start',
    '--detach',
    '--limit',
    '20',
    '--name',
    'elsewhere',
  );
  assert.equal(started.code, 0, started.stderr);
  const { totals } = await lab.result('elsewhere');
  assert.equal(totals.pointsDeleted, 0);
  const theirs = (await lab.qdrant.points()).length - mine;
  assert.equal(theirs, totals.pointsWritten);
  // All rows of ours go, and with --prune all of our points; theirs stay.
  await lab.sql.query('DELETE FROM ip_summary');
  await lab.migrate('--prune');
  const left = await lab.qdrant.points();
  assert.equal(left.length, theirs);
  for (const { payload } of left) assert.equal(payload['source'], 'elsewhere/ip_summary');
});

test('a worker killed between write and delete: the next attempt leaves no stale chunk', async () => {
  await migrated();
  const before = await lab.qdrant.counters();
  await updateRow(lab.sql, row(40, distinctText('40', 40)));
  await lab.qdrant.fault({ delay_ms: 60_000, paths: '/points/delete', count: 1 });
  const started = await lab.ferry('start', '--detach', '--no-preflight');
  assert.equal(started.code, 0, started.stderr);
  await until('the shrunk record is written', 30_000, async () => {
    const { written, changed } = await lab.qdrant.counters();
    return written + changed > before.written + before.changed;
  });
  assert.ok((await pointsOf(40)).length > 2, 'the stale chunks are still there');
  await worker.kill();
  await lab.qdrant.clearFaults();
  worker = await lab.worker();
  const { status, totals } = await lab.result();
  assert.deepEqual([status, totals.failed], ['completed', 0]);
  assert.equal((await pointsOf(40)).length, 2);
  assert.equal((await lab.audit()).ok, true);
});

test('a row inserted between planned batches arrives in this run, one in a finished range in the next', async () => {
  await migrated();
  await lab.embeddings.behave({ latencyMs: 1_500 });
  // Every record changes, so that each batch takes a while.
  await lab.sql.query("UPDATE ip_summary SET parse_content = CONCAT('New: ', parse_content)");
  const started = await lab.ferry('start', '--detach', '--no-preflight', '--concurrency', '1');
  assert.equal(started.code, 0, started.stderr);
  await until(
    'two batches have ended',
    60_000,
    async () => ((await lab.snapshot()).totals?.completedBatches ?? 0) >= 2,
  );
  const early = { id: snowflake(3) + 1n, tenant: 'acme', content: 'An early sentence of its own.' };
  const late = { id: snowflake(ROWS - 3) + 1n, tenant: 'acme', content: 'A late sentence of its own.' };
  await insertRows(lab.sql, [early, late]);
  assert.ok(((await lab.snapshot()).totals?.completedBatches ?? 0) <= 4, 'the last batch has not begun');
  const { status } = await lab.result();
  assert.equal(status, 'completed');
  const texts = (await lab.qdrant.points()).map(({ payload }) => payload['text']);
  assert.ok(texts.includes(late.content));
  assert.ok(!texts.includes(early.content));
  await lab.embeddings.behaveNormally();
  const { totals } = await lab.migrate();
  assert.deepEqual([totals.written, totals.unchanged], [1, ROWS + 1]);
  assert.equal((await lab.audit()).ok, true);
});
