import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationResult } from '../../src/job/job.ts';
import type { AuditReport } from '../support/audit.ts';
import type { Lab } from '../support/lab.ts';
import { createTable } from '../support/rows.ts';
import { Crew } from './crew.ts';
import { inflict } from './faults.ts';
import { Random } from './random.ts';
import type { Scenario } from './scenario.ts';
import { Writers } from './writers.ts';

/** Nothing that a round does may keep a job from its end for longer. */
const PATIENCE_MS = 300_000;

/** What became of a round. */
export interface RoundReport {
  readonly scenario: Scenario;
  /** Sentences; empty if nothing was lost, doubled, wrong or paid in vain. */
  readonly findings: readonly string[];
  readonly audit: AuditReport | null;
  readonly runs: number;
  readonly writes: number;
  /** Inputs paid, of them distinct, and how many more were in hand at kills: what may be paid again. */
  readonly inputs: number;
  readonly distinct: number;
  readonly cap: number;
  readonly seconds: number;
}

/** Plays a round on a lab and judges its outcome. */
export async function playRound(lab: Lab, scenario: Scenario): Promise<RoundReport> {
  const begin = Date.now();
  const random = new Random(scenario.seed ^ 0x5bd1e995);
  const collection = `chaos-${scenario.seed}-${begin}`;
  const settings = {
    QDRANT_COLLECTION_NAME: collection,
    WORKER_HEARTBEAT_INTERVAL: String(scenario.heartbeatSeconds),
    WORKER_SLOTS: String(scenario.slots),
    WORKER_SHUTDOWN_SECONDS: '2',
  };
  await lab.embeddings.reset();
  await createTable(lab.sql);
  const writers = await Writers.fill(lab.sql, random, scenario.rows);
  await lab.embeddings.behave({ latencyMs: scenario.latencyMs });
  const crew = new Crew(lab, random, settings, {
    answerMs: scenario.latencyMs + 500,
    superseded: writers.superseded,
  });
  const job = `ip_summary-to-${collection}`;
  const over = new AbortController();
  let runs = 0;
  const findings: string[] = [];
  let result: MigrationResult | null = null;
  try {
    const forever = new AbortController().signal;
    await Promise.all(Array.from({ length: scenario.workers }, () => crew.hire(forever)));

    const start = async (...flags: string[]): Promise<void> => {
      const cut = scenario.cuts[Math.min(runs, scenario.cuts.length - 1)];
      runs++;
      const cutFlags = ['--batch-size', String(cut?.batchSize), '--concurrency', String(cut?.concurrency)];
      await untilAccepted(() =>
        lab.ferryWith(settings, 'start', '--detach', '--no-preflight', ...cutFlags, ...flags),
      );
    };
    await start();
    const writing = writers.write(scenario.writesPerSecond, over.signal);
    const began = Date.now();
    const inflicting = Promise.all(
      scenario.faults.map(async (fault) => {
        await sleep(Math.max(0, began + fault.at - Date.now()));
        await inflict(fault, lab, crew, forever);
      }),
    );
    let isOver = false;
    const inflicted = inflicting.finally(() => {
      isOver = true;
      over.abort();
    });
    // Runs that end before the faults do are followed by others, cut in another way.
    while (!isOver) {
      await ended(lab, job, over.signal).catch(ignoreAbort);
      if (!isOver) await start();
    }
    await inflicted;
    await writing;
    await lab.embeddings.behaveNormally();
    await lab.qdrant.clearFaults();
    if (crew.size === 0) await crew.hire(forever);
    await ended(lab, job);
    await start('--prune');
    result = await ended(lab, job);
  } catch (error) {
    findings.push(`it broke off: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    over.abort();
  }
  if (result !== null && (result.status !== 'completed' || result.totals.failed > 0)) {
    findings.push(`the last run ended as ${result.status} with ${result.totals.failed} failed records`);
  }
  const audit =
    result === null ? null : await lab.audit({ collection, jobId: result.jobId, noForeign: true });
  if (audit !== null && !audit.ok) {
    findings.push(
      `${audit.missing.count} missing, ${audit.extra.count} extra, ${audit.wrong.count} wrong: ` +
        JSON.stringify(
          [...audit.missing.examples, ...audit.extra.examples, ...audit.wrong.examples].slice(0, 3),
        ),
    );
  }
  const { inputs, distinctTexts: distinct } = await lab.embeddings.counters();
  if (inputs - distinct > crew.inHand) {
    findings.push(`${inputs - distinct} inputs were paid again, ${crew.inHand} were in hand`);
  }
  await crew.dismiss(crew.all(), 'SIGTERM');
  return {
    scenario,
    findings,
    audit,
    runs,
    writes: writers.writes,
    inputs,
    distinct,
    cap: crew.inHand,
    seconds: (Date.now() - begin) / 1_000,
  };
}

/** The end of the job's newest run, or of the wait; Temporal may be away meanwhile. */
async function ended(
  lab: Lab,
  job: string,
  given: AbortSignal = new AbortController().signal,
): Promise<MigrationResult> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(500)) {
    try {
      // A poll that is left open would fail with nobody to catch it when the connection closes.
      const signal = AbortSignal.any([given, AbortSignal.timeout(Math.max(1, deadline - Date.now()))]);
      return await lab.client.withAbortSignal(signal, () => lab.result(job));
    } catch {
      given.throwIfAborted();
      if (Date.now() > deadline) {
        const { status, waits, batchesInHand } = await lab.snapshot(job);
        const waiting = waits.map(({ reason, count }) => `${count} for ${reason}`).join(', ');
        throw new Error(
          `the job did not end within ${PATIENCE_MS / 1_000} s: ${status}, in hand ${batchesInHand.join(', ')}, waiting ${waiting}`,
        );
      }
    }
  }
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
}

/** `ferry start`, until Temporal is there to take it. */
async function untilAccepted(start: () => Promise<{ code: number | null; stderr: string }>): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ; await sleep(500)) {
    const { code, stderr } = await start();
    if (code === 0 || /open already/.test(stderr)) return;
    if (Date.now() > deadline) throw new Error(`ferry start ended with ${code}: ${stderr}`);
  }
}
