/**
 * A 429 storm: three workers, many slots each, one budget that is far too small for them. How much longer than the
 * budget dictates does a job take, what does the storm cost, and is everything right afterwards?
 */
import { performance } from 'node:perf_hooks';
import { Lab } from '../test/support/lab.ts';
import { createTable, distinctRows, insertRows } from '../test/support/rows.ts';
import type { BenchResult } from './bench.ts';
import { startSilentProvider } from './silent-provider.ts';

const WORKERS = 3;
const SLOTS = 16;
/** Of the time that the budget dictates. */
const MOST = 1.1;

interface Case {
  readonly name: string;
  readonly rows: number;
  readonly batchSize: number;
  readonly limits: { readonly rpm: number } | { readonly tpm: number };
  /** What a refusal and an answer say of the budget. */
  readonly provider: 'headers' | 'headers-without-retry-after' | 'silent';
}

const CASES: readonly Case[] = [
  { name: 'tpm', rows: 420, batchSize: 5, limits: { tpm: 60_000 }, provider: 'headers' },
  {
    name: 'tpm-no-retry-after',
    rows: 420,
    batchSize: 5,
    limits: { tpm: 60_000 },
    provider: 'headers-without-retry-after',
  },
  { name: 'tpm-silent', rows: 420, batchSize: 5, limits: { tpm: 60_000 }, provider: 'silent' },
  { name: 'rpm', rows: 450, batchSize: 5, limits: { rpm: 30 }, provider: 'headers' },
  { name: 'rpm-silent', rows: 450, batchSize: 5, limits: { rpm: 30 }, provider: 'silent' },
];

/** Figures of a case; times in seconds. */
interface StormReport {
  readonly name: string;
  readonly rows: number;
  readonly limits: Case['limits'];
  /** What was taken of the budget: tokens as it counts them (UTF-8 bytes / 4), or requests. */
  readonly spent: number;
  /** The earliest time after the first request at which the budget allows the last one. */
  readonly budgetSeconds: number;
  /** From the start of the workflow to its end. */
  readonly jobSeconds: number;
  readonly ratio: number;
  readonly requests: number;
  readonly refused: number;
  readonly inputs: number;
  readonly distinct: number;
  readonly auditOk: boolean;
  readonly failedRecords: number;
}

/** Plays the storms. @param only the name of one */
export async function bench(only?: string): Promise<BenchResult> {
  const cases = CASES.filter(({ name }) => only === undefined || name === only);
  if (cases.length === 0)
    throw new Error(`No case is named ${only}: ${CASES.map(({ name }) => name).join(', ')}`);
  const report: StormReport[] = [];
  const findings: string[] = [];
  const lab = await Lab.open({ WORKER_SLOTS: String(SLOTS), WORKER_HEARTBEAT_INTERVAL: '30' });
  try {
    for (const one of cases) {
      const found = await storm(lab, one);
      report.push(found);
      const faults = judge(found);
      findings.push(...faults);
      console.log(`${faults.length === 0 ? 'ok  ' : 'BAD '} ${line(found)}`);
    }
  } finally {
    await lab.close();
  }
  return { findings, report };
}

async function storm(lab: Lab, { name, rows, batchSize, limits, provider }: Case): Promise<StormReport> {
  const collection = `storm-${name}`;
  const settings: Record<string, string> = { QDRANT_COLLECTION_NAME: collection };
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(rows));
  await lab.embeddings.behaveNormally();
  const silent =
    provider === 'silent' ? await startSilentProvider(lab.env['OPENAI_BASE_URL'] ?? '') : undefined;
  if (silent !== undefined) settings['OPENAI_BASE_URL'] = silent.baseUrl;
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => lab.worker(settings)));
  try {
    await lab.embeddings.behave({ ...limits, retryAfter: provider === 'headers' });
    await lab.embeddings.reset();
    const shape = ['--batch-size', String(batchSize), '--concurrency', String(WORKERS * SLOTS)];
    const started = await lab.ferryWith(settings, 'start', '--detach', '--no-preflight', ...shape);
    if (started.code !== 0) throw new Error(`ferry start ended with ${started.code}: ${started.stderr}`);
    const job = `ip_summary-to-${collection}`;
    const polled = performance.now();
    const { totals, jobId } = await lab.result(job);
    const jobSeconds = (await secondsOf(lab, job)) ?? (performance.now() - polled) / 1_000;
    const {
      requests,
      paidRequests,
      inputs,
      distinctTexts: distinct,
      statuses,
    } = await lab.embeddings.counters();
    const spent = 'rpm' in limits ? paidRequests : await budgetTokens(lab, collection);
    const perMinute = 'rpm' in limits ? limits.rpm : limits.tpm;
    // The budget is full when the first request comes, and refills evenly.
    const budgetSeconds = ((spent - perMinute) / perMinute) * 60;
    const audit = await lab.audit({ collection, jobId, noForeign: true });
    return {
      ...{ name, rows, limits, spent, budgetSeconds, jobSeconds, ratio: jobSeconds / budgetSeconds },
      ...{ requests, refused: statuses['429'] ?? 0, inputs, distinct },
      ...{ auditOk: audit.ok, failedRecords: totals.failed },
    };
  } finally {
    await Promise.all(workers.map((worker) => worker.kill('SIGTERM')));
    await lab.embeddings.behaveNormally();
    await silent?.close();
  }
}

/** How long the workflow was open. */
async function secondsOf(lab: Lab, job: string): Promise<number | undefined> {
  const { startTime, closeTime } = await lab.client.workflow.getHandle(`migration-${job}`).describe();
  return closeTime === undefined ? undefined : (closeTime.getTime() - startTime.getTime()) / 1_000;
}

/** Tokens of all that had to be embedded, as budgets count them. */
async function budgetTokens(lab: Lab, collection: string): Promise<number> {
  const children = (await lab.qdrant.points(collection)).filter(({ payload }) => payload['type'] === 'child');
  return children.reduce(
    (sum, { payload }) => sum + Math.ceil(Buffer.byteLength(String(payload['text'])) / 4),
    0,
  );
}

function judge({ name, ratio, inputs, distinct, auditOk, failedRecords }: StormReport): string[] {
  return [
    ...(ratio > MOST
      ? [`${name}: ${ratio.toFixed(3)} times what the budget dictates, more than ${MOST}`]
      : []),
    ...(inputs > distinct ? [`${name}: ${inputs - distinct} inputs were paid again`] : []),
    ...(auditOk ? [] : [`${name}: the audit has findings`]),
    ...(failedRecords > 0 ? [`${name}: ${failedRecords} failed records`] : []),
  ];
}

function line(report: StormReport): string {
  const { name, rows, budgetSeconds, jobSeconds, ratio, requests, refused, inputs, distinct, auditOk } =
    report;
  return (
    `${name}: ${rows} rows in ${jobSeconds.toFixed(1)} s, budget ${budgetSeconds.toFixed(1)} s, ratio ${ratio.toFixed(3)}; ` +
    `${requests} requests, ${refused} refused; ${inputs - distinct} inputs paid again; audit ${auditOk ? 'clean' : 'BAD'}`
  );
}
