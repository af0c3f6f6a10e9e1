/**
 * `npm run long -- <name>`: one long run of a job with something that happens to it, judged by the independent audit.
 *
 *     npm run long -- temporal-restarts --json temporal-restarts.json
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Lab } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';
import { kills } from './kills.ts';
import { startRun, type Scenario } from './scenario.ts';
import { stoppedWorker } from './stopped-worker.ts';
import { temporalRestarts } from './temporal-restarts.ts';

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  kills,
  'stopped-worker': stoppedWorker,
  'temporal-restarts': temporalRestarts,
};

const {
  values,
  positionals: [name = ''],
} = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
const scenario = SCENARIOS[name];
if (scenario === undefined) {
  console.error(
    `npm run long -- <name> [--json file], where name is one of: ${Object.keys(SCENARIOS).join(', ')}`,
  );
  process.exit(2);
}
process.exitCode = await play(scenario);

async function play({ rows, settings, latencyMs, play }: Scenario): Promise<number> {
  const lab = await Lab.open(settings);
  const over = new AbortController();
  let end: Promise<unknown> = Promise.resolve();
  try {
    await createTable(lab.sql);
    await insertRows(lab.sql, distinctRows(rows));
    await lab.embeddings.behave({ latencyMs });
    const begin = Date.now();
    const run = await startRun(lab, over.signal);
    end = run.end;
    const { figures, inHand, findings } = await play(lab, run);
    const { status, totals, jobId } = await run.end;
    const seconds = (Date.now() - begin) / 1_000;
    const audit = await lab.audit({ jobId, noForeign: true });
    const { inputs, distinctTexts: distinct } = await lab.embeddings.counters();
    const all = [...findings];
    if (status !== 'completed' || totals.records !== rows || totals.failed > 0) {
      all.push(`the job ended as ${status}, ${totals.records} records, ${totals.failed} of them failed`);
    }
    for (const kind of ['missing', 'extra', 'wrong'] as const) {
      for (const { record, reason } of audit[kind].examples) all.push(`${kind}: ${record}: ${reason}`);
    }
    if (distinct !== audit.children) all.push(`${distinct} texts were paid, ${audit.children} are there`);
    if (inputs - distinct > inHand)
      all.push(`${inputs - distinct} inputs were paid again, ${inHand} were in hand`);
    const report = { name, rows, seconds, ...figures, inputs, distinct, inHand, audit, findings: all };
    if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
    const said = Object.entries(figures).map(([figure, value]) => `${figure} ${value}`);
    console.log(
      `${all.length === 0 ? 'ok  ' : 'BAD '} ${name}: ${rows} rows, ${audit.points} points in ${seconds.toFixed(0)} s; ` +
        `${said.join(', ')}; ${inputs - distinct} inputs paid again <= ${inHand} in hand; ` +
        `audit ${audit.ok ? 'clean' : 'BAD'}, ledger: ${audit.ledger}`,
    );
    for (const finding of all) console.log(`      ${finding}`);
    return all.length === 0 ? 0 : 1;
  } finally {
    over.abort();
    await end.catch(() => undefined);
    await lab.close();
  }
}
