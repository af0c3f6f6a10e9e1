import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { PreflightReport } from '../../src/job/inquiry.ts';
import { Lab, until, type CommandResult, type WorkerProcess } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';

const ROWS = 60;

let lab: Lab;
let worker: WorkerProcess;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: '20' });
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
  await insertRows(lab.sql, [{ id: 7n, tenant: 'acme', content: null }]);
  worker = await lab.worker();
});
after(() => lab.close());

function reportOf({ stdout, stderr }: CommandResult): PreflightReport {
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as PreflightReport;
}

const idsOf = ({ checks }: PreflightReport, status: string): string[] =>
  checks.filter((check) => check.status === status).map(({ id }) => id);

test('a good set-up: every service is looked at, from a worker and from here, and the exit code is 0', async () => {
  const result = await lab.ferry('preflight', '--json');
  const report = reportOf(result);
  assert.deepEqual([result.code, idsOf(report, 'problem')], [0, []]);
  const services = new Set(report.checks.map(({ id }) => id.split('.')[0]));
  assert.deepEqual([...services].sort(), ['embedding', 'ledger', 'source', 'target', 'temporal', 'workers']);
  assert.equal(report.sampled, ROWS + 1);
  assert.equal(
    report.sizes.reduce((sum, { records }) => sum + records, 0),
    ROWS + 1,
  );
  assert.deepEqual(report.sizes[0], { fromBytes: 0, records: 1, bytes: 0 });

  const local = await lab.ferry('preflight', '--local', '--json');
  const own = reportOf(local);
  assert.equal(local.code, 0, local.stdout);
  const elsewhere = report.checks.filter(({ id }) => !/^(?:temporal|workers)\./u.test(id));
  assert.deepEqual(
    own.checks.map(({ id, status }) => [id, status]),
    elsewhere.map(({ id, status }) => [id, status]),
  );

  const shown = await lab.ferry('preflight');
  assert.equal(shown.code, 0);
  assert.match(shown.stdout, /source\n {2}✓ server +MariaDB/u);
  assert.match(shown.stdout, /sizes of 61 contents\n +empty +1 +#/u);
  assert.match(shown.stdout, /\d+ checks: \d+ fine/u);
});

test('preflight and plan change nothing', async () => {
  const changes = async () => {
    const { written, changed, deleted } = await lab.qdrant.counters();
    return { written, changed, deleted };
  };
  const before = await changes();
  assert.equal((await lab.ferry('preflight')).code, 0);
  assert.equal((await lab.ferry('plan', '--exact')).code, 0);
  assert.deepEqual(await changes(), before);
  await assert.rejects(lab.qdrant.points(), /404/u);
});

test('several things wrong at once are all named, and the exit code is 2', async () => {
  await lab.migrate();
  await lab.sql.query('UPDATE ip_summary SET parse_content = REPEAT("x", 17 * 1024 * 1024) WHERE id = 7');
  const sound = await lab.ferry('preflight', '--local', '--json');
  assert.equal(sound.code, 0);
  assert.ok(idsOf(reportOf(sound), 'warning').includes('source.oversize'));

  const wrong = {
    MYSQL_CONTENT_COLUMN: 'no_such_text',
    MYSQL_TENANT_COLUMN: 'no_such_tenant',
    OPENAI_API_KEY: 'sk-wrong-canary',
    OPENAI_EMBEDDING_DIMENSIONS: '512',
    SUPABASE_KEY: 'wrong-canary',
  };
  const result = await lab.ferryWith(wrong, 'preflight', '--local', '--json');
  assert.equal(result.code, 2);
  const report = reportOf(result);
  const problems = new Set(idsOf(report, 'problem'));
  assert.deepEqual([...problems].sort(), [
    'embedding.model',
    'ledger.server',
    'source.columns',
    'target.schema',
  ]);
  const columns = report.checks.find(({ id }) => id === 'source.columns');
  assert.match(columns?.message ?? '', /no_such_tenant.*no_such_text|no_such_text.*no_such_tenant/u);
  assert.match(columns?.advice ?? '', /MYSQL_TENANT_COLUMN.*MYSQL_CONTENT_COLUMN/u);
  assert.doesNotMatch(result.stdout, /canary/u);

  const out = { MYSQL_PORT: '1', QDRANT_URL: 'http://127.0.0.1:1', OPENAI_BASE_URL: 'http://127.0.0.1:1/v1' };
  const dark = await lab.ferryWith(out, 'preflight', '--local');
  assert.equal(dark.code, 2);
  assert.match(dark.stdout, /✗ server .*does not answer/u);
  assert.match(dark.stdout, /MYSQL_HOST[^]*QDRANT_URL[^]*OPENAI_BASE_URL/u);
  assert.doesNotMatch(dark.stdout, /it is tried again/u);
});

test('start looks first: a problem starts nothing, --no-preflight starts all the same', async () => {
  const wrong = { MYSQL_CONTENT_COLUMN: 'no_such_text' };
  const refused = await lab.ferryWith(wrong, 'start', '--detach', '--name', 'wrong');
  assert.equal(refused.code, 2, refused.stderr);
  assert.match(refused.stderr, /✗ source\.columns: .*no_such_text.*MYSQL_CONTENT_COLUMN/u);
  assert.match(refused.stderr, /Nothing was started.*--no-preflight/u);
  assert.equal((await lab.ferry('status', 'wrong')).code, 2, 'there is no such job');

  const forced = await lab.ferryWith(wrong, 'start', '--detach', '--no-preflight', '--name', 'wrong');
  assert.equal(forced.code, 0, forced.stderr);
  await until(
    'it has halted or failed',
    30_000,
    async () => (await lab.snapshot('wrong')).status !== 'running',
  );
  await lab.ferry('cancel', 'wrong');

  const fine = await lab.ferry('start', '--detach', '--json');
  assert.equal(fine.code, 0, fine.stderr);
  assert.match(fine.stdout, /^\{"name"/u);
  assert.match(fine.stderr, /! source\.oversize/u);
  assert.equal((await lab.result()).totals.failed, 1);
});

test('what preflight adds to a start is printed', async () => {
  const times: Record<string, number[]> = { with: [], without: [] };
  for (let round = 0; round < 2; round++) {
    for (const [how, flags] of [
      ['with', []],
      ['without', ['--no-preflight']],
    ] as const) {
      const begin = performance.now();
      assert.equal((await lab.ferry('start', '--detach', ...flags)).code, 0);
      times[how]?.push(Math.round(performance.now() - begin));
      await lab.result();
    }
  }
  const preflights: number[] = [];
  for await (const { startTime, closeTime } of lab.client.workflow.list({
    query: "WorkflowType = 'preflight'",
  })) {
    if (closeTime !== undefined) preflights.push(closeTime.getTime() - startTime.getTime());
  }
  assert.ok(preflights.length >= 2);
  console.log(
    `    ferry start: ${times['with']?.join(', ')} ms with preflight, ${times['without']?.join(', ')} ms without; ` +
      `the preflights themselves: ${preflights.join(', ')} ms`,
  );
});

test('without a worker preflight says so, and start begins all the same', async () => {
  await worker.kill('SIGTERM');
  // Temporal remembers who polled for some minutes; a namespace of its own has never seen a worker.
  const namespace = 'nobody-polls';
  const { connection } = lab.client;
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  const settings = { TEMPORAL_NAMESPACE: namespace };
  await until('the namespace is usable', 20_000, async () => {
    const { code } = await lab.ferryWith(settings, 'list');
    return code === 0;
  });
  const looked = await lab.ferryWith(settings, 'preflight', '--json');
  assert.equal(looked.code, 2);
  const report = reportOf(looked);
  assert.deepEqual(idsOf(report, 'problem'), ['workers.work']);
  assert.deepEqual(idsOf(report, 'warning'), ['temporal.retention']);
  const started = await lab.ferryWith(settings, 'start', '--detach');
  assert.equal(started.code, 0, started.stderr);
  assert.match(started.stderr, /Preflight was skipped: no worker polls/u);

  const missing = await lab.ferryWith({ TEMPORAL_NAMESPACE: 'missing' }, 'preflight', '--json');
  assert.equal(missing.code, 2);
  assert.deepEqual(idsOf(reportOf(missing), 'problem'), ['temporal.namespace']);
});
