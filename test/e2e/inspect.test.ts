import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { RecordPlace } from '../../src/client/locate.ts';
import type { InspectReport, SearchReport } from '../../src/job/inquiry.ts';
import type { LedgerFailure } from '../../src/ledger/ledger.ts';
import { Lab, until } from '../support/lab.ts';
import { createTable, deleteRow, distinctRows, insertRows, snowflake, updateRow } from '../support/rows.ts';

const ROWS = 40;
const POISON = 33;
const BLANK = 20;
const JOB = 'migration-ip_summary-to-memos';
/** In every sentence of the rows, and nowhere else. */
const WORDS = 'speaks about vessel';

/** What `ferry inspect --json` prints. */
type Inspected = InspectReport & {
  readonly place: RecordPlace | null;
  readonly link: string | null;
  readonly lastFailure: LedgerFailure | null;
};

let lab: Lab;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: '10', MAX_WORKERS: '2' });
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
  await updateRow(lab.sql, { id: snowflake(BLANK), tenant: 'tenant-0', content: ' \n' });
  await updateRow(lab.sql, { id: snowflake(POISON), tenant: 'acme', content: 'Here is some zebra-poison.' });
});
after(() => lab?.close());

async function inspect(index: number | bigint, ...flags: string[]): Promise<Inspected> {
  const id = typeof index === 'bigint' ? index : snowflake(index);
  const { code, stdout, stderr } = await lab.ferry('inspect', String(id), '--json', ...flags);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Inspected;
}

async function search(text: string, ...flags: string[]): Promise<SearchReport> {
  const { code, stdout, stderr } = await lab.ferry('search', text, '--json', ...flags);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as SearchReport;
}

test('without a worker every inquiry says so at once, and --local needs none', async () => {
  for (const args of [
    ['search', 'vessel'],
    ['inspect', '1'],
  ]) {
    const { code, stdout, stderr } = await lab.ferry(...args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /No worker polls vector-ferry .*`ferry worker`.*--local/);
  }
  const missing = await inspect(5, '--local');
  assert.deepEqual([missing.state, missing.collection, missing.place], ['missing', null, null]);
  const early = await lab.ferry('search', 'vessel', '--local');
  assert.equal(early.code, 2);
  assert.match(early.stderr, /^QDRANT_COLLECTION_NAME: Qdrant has no alias or collection memos yet/m);
});

test('a migration in which one record fails', async () => {
  await lab.embeddings.behave({ refuse: ['zebra-poison'] });
  await lab.worker();
  const { status, totals } = await lab.migrate();
  assert.deepEqual([status, totals.failed, totals.written], ['completed', 1, ROWS - 2]);
  await lab.embeddings.behaveNormally();
});

test('an exact record: its row, its points and its batch, with a link', async () => {
  const report = await inspect(5);
  const { row, points, place } = report;
  assert.deepEqual([report.state, report.existsUnfiltered, report.collection], ['exact', true, 'memos_v1']);
  assert.ok(row !== null && place !== null);
  assert.equal(report.pointCount, row.parents + row.children);
  assert.deepEqual(
    points.map(({ type, chunkIndex }) => [type, chunkIndex]),
    points.map((_, at) => (at === 0 ? ['parent', null] : ['child', at - 1])),
  );
  for (const { type, isCurrent, isIntact, hasDense, hasSparse, text, checksum, jobId } of points) {
    assert.deepEqual([isCurrent, isIntact, text, checksum], [true, true, null, row.checksum]);
    assert.deepEqual([hasDense, hasSparse], [type === 'child', type === 'child']);
    assert.equal(jobId, place.jobId);
  }
  const [content] = (await lab.sql.query('SELECT parse_content AS text FROM ip_summary WHERE id = ?', [
    String(snowflake(5)),
  ])) as unknown as [{ text: string }[]];
  assert.equal(row.contentBytes, Buffer.byteLength(content[0]?.text ?? ''));

  const { batch } = place;
  assert.ok(batch !== null);
  assert.deepEqual(
    [place.plan, place.status, batch.status, batch.code],
    ['planned', 'completed', 'completed', null],
  );
  assert.match(batch.workflowId, new RegExp(`^${JOB}/p\\d+/b${batch.number}$`));
  const described = await lab.client.workflow.getHandle(batch.workflowId).describe();
  assert.equal(described.runId, batch.runId);
  // Rows 0 to 9 are the first batch.
  assert.equal(batch.number, 0);
  const encoded = encodeURIComponent(batch.workflowId);
  assert.equal(
    report.link,
    `${lab.env['TEMPORAL_UI_URL']}/namespaces/vector-ferry/workflows/${encoded}/${batch.runId}/history`,
  );
});

test('for people: state, table of points and link, and texts with --content only', async () => {
  const { code, stdout } = await lab.ferry('inspect', String(snowflake(5)));
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(`^record ${snowflake(5)}: exact`));
  assert.match(stdout, /^ {2}expected {2}1 parent, \d+ child/m);
  assert.match(stdout, /^ {4}child +0 +0 +dense sparse +yes +yes/m);
  assert.match(
    stdout,
    /^ {2}see +http:\/\/127\.0\.0\.1:\d+\/namespaces\/vector-ferry\/workflows\/migration/m,
  );
  assert.ok(!stdout.includes(WORDS));
  const { stdout: full } = await lab.ferry('inspect', String(snowflake(5)), '--content');
  assert.ok(full.includes(WORDS));
  const { points } = await inspect(5, '--content');
  assert.ok(points.every(({ text, characters }) => text?.length === characters));
});

test('a record that failed: the code from its batch', async () => {
  const { state, place } = await inspect(POISON);
  assert.deepEqual(
    [state, place?.batch?.status, place?.batch?.code],
    ['missing', 'completed', 'embedding_refused'],
  );
  assert.equal(place?.batch?.number, 3);
  const { stdout } = await lab.ferry('inspect', String(snowflake(POISON)));
  assert.match(stdout, /this record failed: embedding_refused/);
});

test('a record without content, and one that never was, are absent', async () => {
  const blank = await inspect(BLANK);
  assert.deepEqual([blank.state, blank.row?.checksum, blank.row?.parents], ['absent', null, 0]);
  const nothing = await inspect(17n);
  assert.deepEqual([nothing.state, nothing.row, nothing.existsUnfiltered], ['absent', null, false]);
});

test('a record beyond the plan belongs to the next run', async () => {
  await insertRows(lab.sql, distinctRows(1, ROWS));
  const { state, place } = await inspect(ROWS);
  assert.deepEqual([state, place?.plan, place?.batch], ['missing', 'next_run', null]);
  const { stdout } = await lab.ferry('inspect', String(snowflake(ROWS)));
  assert.match(stdout, /belongs to the next run/);
});

test('changed content and a changed tenant are outdated, and only the first is not current', async () => {
  await updateRow(lab.sql, { id: snowflake(6), tenant: 'tenant-1', content: 'Another text.' });
  await lab.sql.query('UPDATE ip_summary SET member_code = ? WHERE id = ?', ['moved', String(snowflake(7))]);
  const changed = await inspect(6);
  assert.equal(changed.state, 'outdated');
  assert.ok(changed.points.every(({ isCurrent, isIntact }) => !isCurrent && isIntact));
  const moved = await inspect(7);
  assert.deepEqual([moved.state, moved.row?.tenant], ['outdated', 'moved']);
  assert.ok(moved.points.every(({ isCurrent }) => isCurrent));
});

test('points that somebody changed are not intact', async () => {
  const [first] = (await inspect(8)).points;
  assert.ok(first !== undefined);
  await lab.qdrant.setPayload([first.id], { text: 'scribbled over' });
  const { points } = await inspect(8);
  assert.deepEqual(
    points.filter(({ isIntact }) => !isIntact).map(({ id }) => id),
    [first.id],
  );
});

test('points without a row are orphaned; those of a row that the filter leaves out are not', async () => {
  await deleteRow(lab.sql, snowflake(9));
  const orphaned = await inspect(9);
  assert.deepEqual([orphaned.state, orphaned.row, orphaned.existsUnfiltered], ['orphaned', null, false]);
  assert.ok(orphaned.pointCount > 0);
  const filter = { MYSQL_FILTER: "member_code <> 'tenant-0'" };
  const filtered = await lab.ferryWith(filter, 'inspect', String(snowflake(10)), '--json');
  const report = JSON.parse(filtered.stdout) as Inspected;
  assert.deepEqual([report.state, report.row, report.existsUnfiltered], ['filtered', null, true]);
});

test('what is no record id or no search is refused before anything is asked', async () => {
  for (const id of ['1.5', '9223372036854775808']) {
    const { code, stderr } = await lab.ferry('inspect', id);
    assert.equal(code, 2, id);
    assert.match(stderr, /^RECORD: expected a record id, a whole number from -9223372036854775808 to/m);
  }
  for (const [args, problem] of [
    [[' ', '--limit', '0'], /TEXT: .*empty[^]*--limit: expected a whole number from 1 to 100/],
    [['vessel', '--mode', 'magic'], /hybrid, dense, sparse/],
  ] as const) {
    const { code, stderr } = await lab.ferry('search', ...args);
    assert.equal(code, 2);
    assert.match(stderr, problem);
  }
});

test('a search by tenant, by parents and by words alone, and what it pays', async () => {
  const { inputs: before } = await lab.embeddings.counters();
  const words = await search('sentence 3 of record 12', '--mode', 'sparse');
  assert.equal((await lab.embeddings.counters()).inputs, before, 'words alone are free');
  assert.ok(words.hits.length > 0);
  const tenant = await search('record speaks about vessel', '--tenant', 'tenant-2', '--limit', '20');
  assert.equal((await lab.embeddings.counters()).inputs, before + 1);
  assert.ok(tenant.hits.length > 0);
  assert.ok(tenant.hits.every((hit) => hit.tenant === 'tenant-2' && hit.chunkIndex !== null));
  const dense = await search('record speaks about vessel', '--mode', 'dense', '--limit', '2');
  assert.equal(dense.hits.length, 2);
  const parents = await search('record speaks about vessel', '--parents', '--limit', '5');
  assert.equal(parents.hits.length, 5);
  for (const { chunkIndex, children, text, recordId } of parents.hits) {
    assert.deepEqual([chunkIndex, children.length > 0], [null, true]);
    for (const child of children) assert.ok(text.includes(child.text) && child.recordId === recordId);
  }
  const { stdout } = await lab.ferry('search', 'record speaks about vessel', '--parents', '--limit', '2');
  assert.match(stdout, /^1\. +\d\.\d{3} +record \d+ +tenant \S+ +parent 0, found by child \d/m);
  assert.equal((await search('vessel', '--tenant', 'nobody')).hits.length, 0);
});

test('--local answers as the worker does, also where Temporal is out of reach', async () => {
  const asked = 'record speaks about vessel';
  // The fusion's first two score alike; beyond them Qdrant may choose among equals.
  for (const flags of [
    ['--limit', '2'],
    ['--mode', 'dense', '--limit', '5'],
  ]) {
    assert.deepEqual(await search(asked, ...flags, '--local'), await search(asked, ...flags));
  }
  assert.deepEqual(await inspect(5, '--content'), await inspect(5, '--content', '--local'));
  const nowhere = { TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const found = await lab.ferryWith(nowhere, 'search', 'vessel', '--mode', 'sparse', '--local');
  assert.equal(found.code, 0, found.stderr);
  const inspected = await lab.ferryWith(nowhere, 'inspect', String(snowflake(5)), '--local');
  assert.equal(inspected.code, 0, inspected.stderr);
  assert.match(inspected.stdout, /: exact[^]*Temporal {2}TEMPORAL_ADDRESS: .*127\.0\.0\.1:1 does not answer/);
});

test('a service that is out is named, and the exit code says whether settings are wrong', async () => {
  const wrong = await lab.ferryWith({ MYSQL_PASSWORD: 'canary-1' }, 'inspect', '1', '--local');
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^source_access_denied: /m);
  assert.doesNotMatch(wrong.stdout + wrong.stderr, /canary/);
});

test('no history holds what was searched, found or inspected', async () => {
  const question = 'xylophone of record 12';
  await search(question, '--mode', 'sparse');
  await until('Temporal has deleted the answers', 120_000, async () => {
    let left = 0;
    const query = "WorkflowType = 'search' OR WorkflowType = 'inspect'";
    for await (const run of lab.client.workflow.list({ query })) {
      // The list may be behind: what counts is whether the history can still be read.
      const isThere = await lab.client.workflow
        .getHandle(run.workflowId, run.runId)
        .describe()
        .then(
          () => true,
          () => false,
        );
      if (isThere) left++;
    }
    return left === 0;
  });
  for await (const run of lab.client.workflow.list()) {
    const { stdout } = await lab.temporal(
      'workflow',
      'show',
      '--workflow-id',
      run.workflowId,
      '--run-id',
      run.runId,
      '--output',
      'json',
    );
    assert.ok(!stdout.includes(WORDS) && !stdout.includes('xylophone'), run.workflowId);
  }
});

test('a batch that Temporal has removed: the failure comes from the ledger', async () => {
  const { place } = await inspect(POISON);
  const workflowId = place?.batch?.workflowId ?? '';
  const { namespace } = lab.client.options;
  await lab.client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } });
  await until('the batch is gone', 120_000, () =>
    lab.client.workflow
      .getHandle(workflowId)
      .describe()
      .then(
        () => false,
        () => true,
      ),
  );
  const report = await inspect(POISON);
  assert.deepEqual([report.place?.batch?.status, report.place?.batch?.code], ['not_found', null]);
  assert.deepEqual([report.lastFailure?.batch, report.lastFailure?.code], [3, 'embedding_refused']);
});
