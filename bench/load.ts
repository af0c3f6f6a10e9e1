/**
 * Load: one worker, once with one slot and once with 32, on ordinary rows with some of 16 MB among them. How much memory
 * does the worker take, how long is its event loop kept from anything else, and how much do history and databases grow?
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { MAX_CONTENT_BYTES } from '../src/source/query.ts';
import { Lab, until, type WorkerProcess } from '../test/support/lab.ts';
import { createTable, distinctRows, distinctText, insertRows, type Row } from '../test/support/rows.ts';
import type { BenchResult } from './bench.ts';

interface Case {
  readonly name: string;
  readonly slots: number;
  /** Rows among the ordinary ones, each about that large. */
  readonly large: { readonly count: number; readonly bytes: number };
}

/**
 * One row more than the default of WORKER_MEMORY_MB takes at once. Each has 26,000 points: the local Qdrant's REST front,
 * in Python, takes most of the time.
 */
const LARGE = { count: 3, bytes: MAX_CONTENT_BYTES - 1 };
/** As large as can be without a turn, for every slot one. */
const FULL_PAGES = { count: 32, bytes: 1024 * 1024 };

const CASES: readonly Case[] = [
  { name: '1', slots: 1, large: LARGE },
  { name: '32', slots: 32, large: LARGE },
  { name: '32-pages', slots: 32, large: FULL_PAGES },
];
const BATCH_SIZE = 10;
const ORDINARY_ROWS = 500;
/** What a worker with 32 slots may take beyond its size before the job, at the default of WORKER_MEMORY_MB. */
const MOST_MB = 1_500;

interface LoadReport {
  readonly name: string;
  readonly slots: number;
  readonly rows: number;
  readonly largeRows: number;
  readonly points: number;
  readonly seconds: number;
  readonly rowsPerSecond: number;
  readonly pointsPerSecond: number;
  /** Resident memory of the worker: before the job, and the most during it. */
  readonly idleMb: number;
  readonly peakMb: number;
  /** CPU time for which nothing else of the worker could run, heartbeats included, in milliseconds. */
  readonly stretchMs: { readonly p99: number; readonly max: number };
  /** Heartbeats that came too late: attempts of batches beyond the first. */
  readonly lostAttempts: number;
  /** Of a batch: its workflow, and its share of partition and root. */
  readonly eventsPerBatch: number;
  readonly historyBytesPerBatch: number;
  readonly historyBytesPer1000Rows: number;
  /** What the files of Temporal and the tables of the ledger grew by. */
  readonly temporalBytesPer1000Rows: number;
  readonly ledgerBytesPer1000Rows: number;
  /** Whether the collection has all points of every row. */
  readonly isComplete: boolean;
}

/** Measures all cases. @param only the name of one */
export async function bench(only?: string): Promise<BenchResult> {
  const cases = CASES.filter(({ name }) => only === undefined || name === only);
  if (cases.length === 0)
    throw new Error(`No case is named ${only}: ${CASES.map(({ name }) => name).join(', ')}`);
  const report: LoadReport[] = [];
  for (const one of cases) {
    const measured = await measure(one);
    console.log(line(measured));
    report.push(measured);
  }
  const [one, many] = ['1', '32'].map((name) => report.find((measured) => measured.name === name));
  const ratio =
    one && many ? { seconds: one.seconds / many.seconds, peakMb: many.peakMb / one.peakMb } : null;
  if (ratio !== null) {
    console.log(
      `32 slots : 1 slot: ${ratio.seconds.toFixed(2)} × as fast, ${ratio.peakMb.toFixed(2)} × the memory`,
    );
  }
  return { findings: report.flatMap(judge), report: { cases: report, ratio } };
}

async function measure({ name, slots, large }: Case): Promise<LoadReport> {
  const lab = await Lab.open({
    WORKER_SLOTS: String(slots),
    BATCH_SIZE: String(BATCH_SIZE),
    // The product's own default; tests have a shorter one.
    WORKER_HEARTBEAT_INTERVAL: '30',
  });
  const folder = mkdtempSync(join(tmpdir(), 'ferry-load-'));
  try {
    await createTable(lab.sql);
    await insertRows(lab.sql, distinctRows(ORDINARY_ROWS));
    for (const row of largeRows(large)) await insertRows(lab.sql, [row]);
    const stretches = join(folder, 'stretches.json');
    const watch = new URL('event-loop.ts', import.meta.url).href;
    const worker = await lab.worker({ NODE_OPTIONS: `--import=${watch}`, BENCH_STRETCHES: stretches });
    const idleMb = startAnew(worker);
    const before = await sizes(lab);

    const { jobId, totals } = await lab.migrate('--concurrency', String(slots));
    const { startTime, closeTime } = await lab.client.workflow
      .getHandle('migration-ip_summary-to-memos')
      .describe();
    const seconds = ((closeTime?.getTime() ?? Date.now()) - startTime.getTime()) / 1_000;
    const peakMb = memoryOf(worker, 'VmHWM');
    await worker.kill('SIGTERM');
    const after = await sizes(lab);
    const history = await histories(lab);
    const batches = await lab.ledger<{ retry_count: number }>(
      `ingestion_batch?job_id=eq.${jobId}&select=retry_count`,
    );
    const thousands = totals.records / 1_000;
    return {
      ...{ name, slots, rows: totals.records, largeRows: large.count, points: totals.pointsWritten, seconds },
      rowsPerSecond: totals.records / seconds,
      pointsPerSecond: totals.pointsWritten / seconds,
      ...{ idleMb, peakMb },
      stretchMs: JSON.parse(readFileSync(stretches, 'utf8')) as LoadReport['stretchMs'],
      lostAttempts: batches.reduce((sum, { retry_count }) => sum + retry_count, 0),
      eventsPerBatch: history.events / totals.completedBatches,
      historyBytesPerBatch: history.bytes / totals.completedBatches,
      historyBytesPer1000Rows: history.bytes / thousands,
      temporalBytesPer1000Rows: (after.temporal - before.temporal) / thousands,
      ledgerBytesPer1000Rows: (after.ledger - before.ledger) / thousands,
      isComplete: totals.failed === 0 && (await wholeRecords(lab)) === ORDINARY_ROWS + large.count,
    };
  } finally {
    await lab.close();
    rmSync(folder, { recursive: true });
  }
}

/** Rows between others, so that no batch has two. */
function* largeRows({ count, bytes }: Case['large']): Generator<Row> {
  const ordinary = distinctRows(ORDINARY_ROWS);
  for (let k = 0; k < count; k++) {
    const before = ordinary[Math.floor((k * ORDINARY_ROWS) / count)] as Row;
    // Somewhat longer than can be, then cut: ASCII, a byte a character.
    const content = distinctText(`large ${k}`, bytes / 3).slice(0, bytes);
    yield { id: before.id + 1_000_000n, tenant: 'tenant-large', content };
  }
}

/** Lets memory and event loop be measured from here on. @returns what the worker takes now, in MB */
function startAnew({ pid }: WorkerProcess): number {
  process.kill(pid, 'SIGHUP');
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  return memoryOf({ pid }, 'VmRSS');
}

function memoryOf({ pid }: Pick<WorkerProcess, 'pid'>, field: 'VmRSS' | 'VmHWM'): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Math.round((Number(found?.[1]) * 1_024) / 1e6);
}

/** Bytes on disk. */
async function sizes(lab: Lab): Promise<{ temporal: number; ledger: number }> {
  const { temporal, postgres } = lab.stack.state().services;
  const file = join(temporal?.dir ?? '', 'temporal.db');
  const client = new pg.Client(postgres?.connection['url']);
  await client.connect();
  try {
    const { rows } = await client.query<{ bytes: string }>(
      `select sum(pg_total_relation_size(format('public.%I', tablename)::regclass)) as bytes
       from pg_tables where schemaname = 'public' and tablename like 'ingestion_%'`,
    );
    const wal = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    return { temporal: statSync(file).size + wal, ledger: Number(rows[0]?.bytes) };
  } finally {
    await client.end();
  }
}

/** Events and bytes of all histories, once all of them are closed. */
async function histories(lab: Lab): Promise<{ events: number; bytes: number }> {
  await until('all workflows are closed', 30_000, async () => {
    const { count } = await lab.client.workflow.count("ExecutionStatus = 'Running'");
    return count === 0;
  });
  let [events, bytes] = [0, 0];
  for await (const { historyLength, historySize = 0 } of lab.client.workflow.list()) {
    events += historyLength;
    bytes += historySize;
  }
  return { events, bytes };
}

/** Records that have as many points as each of their points says. */
async function wholeRecords(lab: Lab): Promise<number> {
  const points = Map.groupBy(await lab.qdrant.points('memos'), ({ payload }) =>
    String(payload['summary_id']),
  );
  return [...points.values()].filter((own) =>
    own.every(({ payload }) => payload['point_count'] === own.length),
  ).length;
}

function judge({ name, idleMb, peakMb, lostAttempts, isComplete }: LoadReport): string[] {
  return [
    ...(peakMb - idleMb > MOST_MB ? [`${name}: ${peakMb - idleMb} MB beyond the ${idleMb} before`] : []),
    ...(lostAttempts > 0 ? [`${name}: ${lostAttempts} attempts were lost`] : []),
    ...(isComplete ? [] : [`${name}: rows or points are missing`]),
  ];
}

function line(report: LoadReport): string {
  const { name, rows, points, seconds, idleMb, peakMb, stretchMs, lostAttempts, isComplete } = report;
  return (
    `${name}: ${rows} rows, ${points} points in ${seconds.toFixed(0)} s (${report.rowsPerSecond.toFixed(1)} and ` +
    `${report.pointsPerSecond.toFixed(0)} a second); memory ${idleMb} MB, at most ${peakMb}; stretches p99 ` +
    `${stretchMs.p99} ms, at most ${stretchMs.max}; ${lostAttempts} attempts lost; a batch: ` +
    `${report.eventsPerBatch.toFixed(1)} events, ${report.historyBytesPerBatch.toFixed(0)} bytes; 1,000 rows: history ` +
    `${kb(report.historyBytesPer1000Rows)}, Temporal ${kb(report.temporalBytesPer1000Rows)}, ledger ` +
    `${kb(report.ledgerBytesPer1000Rows)}; ${isComplete ? 'complete' : 'NOT COMPLETE'}`
  );
}

function kb(bytes: number): string {
  return `${Math.round(bytes / 1_000)} kB`;
}
