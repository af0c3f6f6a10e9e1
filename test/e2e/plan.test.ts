import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { corpus } from '../../demo/corpus.ts';
import { loadCorpus } from '../../demo/load.ts';
import {
  jobSpecification,
  usdPerMillionTokens,
  type Environment,
  type StartFlags,
} from '../../src/config.ts';
import { plan, type SampleBounds } from '../../src/inquiry/plan.ts';
import type { PlanReport } from '../../src/job/inquiry.ts';
import type { MigrationResult } from '../../src/job/job.ts';
import { createServices, type Services } from '../../src/services.ts';
import { quietAttempt } from '../support/attempt.ts';
import { Lab } from '../support/lab.ts';
import { createTable, distinctRows, insertRows, snowflake, updateRow } from '../support/rows.ts';

const ROWS = 600;
const MANY_ROWS = 3_000;
/** Far less than the tables have. */
const SMALL_SAMPLE: SampleBounds = {
  sizes: 20_000,
  strata: 200,
  contents: { records: 120, bytes: 8 * 1024 * 1024 },
};

let lab: Lab;
let environment: Environment;
let services: Services;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: '20', MAX_WORKERS: '3' });
  environment = { values: lab.env, warnings: [], isStack: false };
  services = createServices(environment, 'plan.test');
  await lab.worker();
});
after(async () => {
  await services.close();
  await lab.close();
});

async function load(count: number): Promise<void> {
  await lab.sql.query('DROP TABLE IF EXISTS ip_summary');
  const { MYSQL_HOST: host, MYSQL_PORT: port, MYSQL_USER: user, MYSQL_PASSWORD: password } = lab.env;
  const database = lab.env['MYSQL_DATABASE'];
  await loadCorpus({ host, port: Number(port), user, password, database }, corpus({ count }));
}

/** Plans in this process. */
async function planned(isExact: boolean, sample?: SampleBounds, flags: StartFlags = {}): Promise<PlanReport> {
  const specification = jobSpecification(environment, flags);
  const question = { specification, isExact, usdPerMillionTokens: usdPerMillionTokens(environment) };
  return plan(services, question, quietAttempt({ patienceMs: 20_000 }), sample);
}

/** Plans as people do, on a worker. */
async function ferryPlan(...args: string[]): Promise<PlanReport> {
  const { code, stdout, stderr } = await lab.ferry('plan', '--json', ...args);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as PlanReport;
}

function assertNear(report: PlanReport, truth: { readonly [Name in keyof PlanReport]?: unknown }): void {
  for (const [name, value] of Object.entries(truth)) {
    const estimated = report[name as keyof PlanReport] as number;
    assert.ok(
      Math.abs(estimated / (value as number) - 1) < 0.1,
      `${name}: ${estimated} for ${String(value)}`,
    );
  }
}

/** Everything that a run reports of the target, to the unit. */
function assertSame(report: PlanReport, { totals, plan: size }: MigrationResult): void {
  assert.deepEqual(report.size, size);
  assert.deepEqual(
    { skipped: report.skipped, failed: report.refused, ...report.difference },
    {
      skipped: totals.skipped,
      failed: totals.failed,
      unchanged: totals.unchanged,
      changed: totals.written,
      pointsWritten: totals.pointsWritten,
      pointsDeleted: totals.pointsDeleted,
      orphans: totals.orphans,
    },
  );
}

test('real text: a sample foretells tokens and costs, an exact plan all that the run then does', async () => {
  await load(ROWS);
  const sampled = await planned(false, SMALL_SAMPLE);
  assert.ok(sampled.sampled < ROWS / 3, `${sampled.sampled} records were read`);
  const onWorker = await ferryPlan();
  assert.equal(onWorker.sampled, ROWS);
  const exact = await ferryPlan('--exact');

  const result = await lab.migrate();
  const { totals } = result;
  assertSame(exact, result);
  // Identical texts of a page are paid once, and a plan does not count on it.
  assert.ok(exact.inputs >= totals.inputs);
  for (const report of [sampled, onWorker, exact]) {
    assertNear(report, { tokens: totals.tokens, inputs: totals.inputs });
    assert.deepEqual(report.size, result.plan);
    assert.equal(report.costUsd, (report.tokens / 1e6) * 0.02);
  }
  const points = await lab.qdrant.points();
  const parents = points.filter(({ payload }) => payload['type'] === 'parent').length;
  assert.deepEqual([exact.parents, exact.children], [parents, points.length - parents]);
  assert.deepEqual([onWorker.parents, onWorker.children], [parents, points.length - parents]);
  assertNear(sampled, { parents, children: points.length - parents });
  assert.equal((await ferryPlan('--exact')).tokens, 0, 'nothing is left to do');
});

test('edits, moves, emptied and deleted rows: the exact plan is the run, without --prune and with it', async () => {
  const rows = corpus({ count: ROWS }).filter(({ parse_content }) => (parse_content ?? '').length > 400);
  const change = (at: number, content: string | null, tenant?: string) => {
    const { id, member_code } = rows[at]!;
    return updateRow(lab.sql, { id, tenant: tenant ?? member_code, content });
  };
  for (let at = 0; at < 40; at++) {
    const content = rows[at]?.parse_content ?? '';
    if (at % 4 === 0) await change(at, `${content}\n\nAppended to row ${at}.`);
    else if (at % 4 === 1) await change(at, `Put before row ${at}.\n\n${content}`);
    else if (at % 4 === 2) await change(at, content.slice(0, content.length / 2));
    else await change(at, content, 'another-tenant');
  }
  await change(41, null);
  await change(42, ' \n ');
  const gone = [rows[50]!, rows[51]!, rows.at(-1)!].map(({ id }) => String(id));
  await lab.sql.query('DELETE FROM ip_summary WHERE id IN (?)', [gone]);

  const planOnly = await ferryPlan('--exact');
  assertSame(planOnly, await lab.migrate());
  const pruning = await ferryPlan('--exact', '--prune');
  assert.ok((pruning.difference?.orphans ?? 0) >= 3 && (pruning.difference?.pointsDeleted ?? 0) > 0);
  assertSame(pruning, await lab.migrate('--prune'));
});

test('distinct rows, half of them migrated: inputs and tokens are those of the bill', async () => {
  await createTable(lab.sql);
  await lab.migrate('--prune');
  await insertRows(lab.sql, distinctRows(200));
  await lab.migrate('--limit', '90');
  for (const at of [3, 40, 80]) {
    await updateRow(lab.sql, { id: snowflake(at), tenant: 'acme', content: `Row ${at} is short and new.` });
  }
  const limited = await ferryPlan('--exact', '--limit', '120');
  assert.equal(limited.size.records, 120);
  const report = await ferryPlan('--exact');
  const result = await lab.migrate();
  assertSame(report, result);
  assert.equal(report.difference?.unchanged, 87);
  assert.deepEqual([report.inputs, report.tokens], [result.totals.inputs, result.totals.tokens]);
});

test('three thousand rows of real text: a small sample is near what counting everything finds', async () => {
  await load(MANY_ROWS);
  const elsewhere = { ...environment, values: { ...environment.values, QDRANT_COLLECTION_NAME: 'nothing' } };
  const specification = jobSpecification(elsewhere, {});
  const exact = await plan(
    services,
    { specification, isExact: true, usdPerMillionTokens: null },
    quietAttempt({ patienceMs: 20_000 }),
  );
  const { tokens, children, parents, skipped, costUsd } = exact;
  assert.equal(costUsd, null);
  const sampled = await planned(false, SMALL_SAMPLE);
  assertNear(sampled, { tokens, children, parents });
  // Of the few blank records some have a size that hundreds with text have too.
  assert.ok(Math.abs(sampled.skipped - skipped) <= 2, `${sampled.skipped} for ${skipped}`);
});

test('people read it in plain words', async () => {
  const { code, stdout } = await lab.ferry('plan', '--limit', '100');
  assert.equal(code, 0);
  assert.match(stdout, /^plan of ip_summary-to-memos\n/u);
  assert.match(stdout, /all 100 records, as if the target were empty/u);
  assert.match(stdout, /cost +at most about [\d.]+ USD/u);
  const unpriced = await lab.ferryWith({ OPENAI_EMBEDDING_MODEL: 'own-model' }, 'plan', '--limit', '10');
  assert.match(unpriced.stdout, /cost +unknown: set OPENAI_USD_PER_MILLION_TOKENS/u);
});
