import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationResult } from '../../src/job/job.ts';
import { createTable } from '../support/rows.ts';
import type { Arena } from './arena.ts';
import { Crew } from './crew.ts';
import type { Infliction } from './fault.ts';
import { inflict } from './faults.ts';
import { batchesInHand, ended, isClosed, untilAccepted } from './job-runs.ts';
import { Operator } from './operator.ts';
import { Random } from './random.ts';
import type { RoundReport } from './round-report.ts';
import type { Scenario } from './scenario.ts';
import { putGate, READER, removeGate } from './source-faults.ts';
import type { Stage } from './stage.ts';
import { undone } from './undone.ts';
import { Writers } from './writers.ts';

/** Faults that may rightly pause a job until somebody resumes it. */
const MAY_HALT: ReadonlySet<string> = new Set(['full disk', 'embeddings answer wrong-length']);
/** Rows that are added so that a kill meets work. */
const MORE_ROWS = 60;
/** Between the end of a run and the start of the next. */
const NEXT_RUN_MS = 3_000;

/** How long an answer of the embeddings server may take. */
function slowestAnswerMs({ latencyMs, faults }: Scenario): number {
  const slow = faults.map((fault) =>
    fault.does === 'embeddings' ? Number(fault.behaviour['latencyMs'] ?? 0) : 0,
  );
  return Math.max(latencyMs, ...slow);
}

/** Plays a round and judges its outcome. */
export async function playRound(arena: Arena, scenario: Scenario): Promise<RoundReport> {
  const { lab } = arena;
  const begin = performance.now();
  const random = new Random(scenario.seed ^ 0x5bd1e995);
  const collection = `chaos-${scenario.seed}-${Date.now()}`;
  const job = `ip_summary-to-${collection}`;
  const settings = {
    QDRANT_COLLECTION_NAME: collection,
    WORKER_HEARTBEAT_INTERVAL: String(scenario.heartbeatSeconds),
    WORKER_SLOTS: String(scenario.slots),
    WORKER_SHUTDOWN_SECONDS: '2',
    OPENAI_MAX_INPUTS: String(scenario.maxInputs),
  };
  await lab.embeddings.reset();
  await removeGate(lab.sql);
  await createTable(lab.sql);
  const writers = await Writers.fill(lab.sql, random, scenario.rows);
  if (scenario.faults.some(({ does }) => does === 'deadlock')) await putGate(lab.sql);
  await lab.embeddings.behaveNormally();
  await lab.embeddings.behave({ latencyMs: scenario.latencyMs });
  const clocks = mkdtempSync(join(arena.dir, 'clocks-'));
  const crew = new Crew(
    lab,
    random,
    { ...settings, ...arena.links.settings, MYSQL_USER: READER.user, MYSQL_PASSWORD: READER.password },
    { answerMs: slowestAnswerMs(scenario) + 500, superseded: writers.superseded, clocks },
  );
  const operator = new Operator(lab, settings, job);
  const over = new AbortController();
  const operating = new AbortController();
  const findings: string[] = [];
  const inflictions: (Infliction | null)[] = scenario.faults.map(() => null);
  let runs = 0;
  let halting = 0;
  let result: MigrationResult | null = null;
  const background: Promise<void>[] = [];
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
    const stage: Stage = {
      arena,
      crew,
      latencyMs: scenario.latencyMs,
      settleMs: 3 * 2 * scenario.heartbeatSeconds * 1_000 + scenario.latencyMs,
      signal: forever,
      work: async (patienceMs) => {
        let isFed = false;
        for (const until = performance.now() + patienceMs; ; await sleep(500)) {
          const batches = await batchesInHand(lab, job);
          if (batches > 0 || performance.now() > until) return batches;
          // A run that had nothing left to do is followed by one that has.
          if (!isFed && (await isClosed(lab, job))) {
            isFed = await writers.add(MORE_ROWS).then(
              () => true,
              () => false,
            );
          }
        }
      },
    };
    background.push(writers.write(scenario.writesPerSecond, over.signal));
    background.push(operator.watch(() => halting === 0, operating.signal));
    const began = performance.now();
    const waitUntil = (at: number): Promise<unknown> => sleep(Math.max(0, began + at - performance.now()));
    const inflicting = scenario.faults.map(async (fault, index) => {
      await waitUntil(fault.at);
      const mayHalt = MAY_HALT.has(fault.kind);
      if (mayHalt) halting++;
      try {
        inflictions[index] = await inflict(fault, stage);
      } finally {
        if (mayHalt) halting--;
      }
    });
    const changing = scenario.crewChanges.map(async ({ at, workers, slots }) => {
      await waitUntil(at);
      crew.slots = slots;
      for (let missing = workers - crew.size; missing > 0; missing--) await crew.hire(forever);
      await crew.dismiss(crew.all().slice(workers), 'SIGTERM');
    });
    let isOver = false;
    const inflicted = Promise.all([...inflicting, ...changing]).finally(() => {
      isOver = true;
      over.abort();
    });
    // Rejected while a run is awaited, it would have nobody to catch it.
    inflicted.catch(() => undefined);
    // Runs that end before the faults do are followed by others, cut in another way.
    while (!isOver) {
      const end = await ended(lab, job, over.signal).catch(ignoreAbort);
      if (end !== undefined) findings.push(...judged(end));
      await sleep(NEXT_RUN_MS, undefined, { signal: over.signal }).catch(ignoreAbort);
      if (!isOver) await start();
    }
    await inflicted;
    await lab.embeddings.behaveNormally();
    await lab.qdrant.clearFaults();
    if (crew.size === 0) await crew.hire(forever);
    findings.push(...judged(await ended(lab, job)));
    await start('--prune');
    result = await ended(lab, job);
    findings.push(...judged(result));
  } catch (error) {
    findings.push(`it broke off: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    over.abort();
    operating.abort();
    await Promise.all(background);
    await crew.leave();
    rmSync(clocks, { recursive: true, force: true });
  }
  const audit =
    result === null ? null : await lab.audit({ collection, jobId: result.jobId, noForeign: true });
  if (audit !== null && !audit.ok) {
    const { missing, extra, wrong } = audit;
    const examples = [...missing.examples, ...extra.examples, ...wrong.examples].slice(0, 3);
    findings.push(
      `${missing.count} missing, ${extra.count} extra, ${wrong.count} wrong: ${JSON.stringify(examples)}`,
    );
  }
  if (operator.halts.length > 0 && !scenario.faults.some(({ kind }) => MAY_HALT.has(kind))) {
    findings.push(`the job was paused: ${operator.halts.join(', ')}`);
  }
  if (
    !inflictions.some((met, index) => met?.hit === true && /SIGKILL/.test(scenario.faults[index]?.kind ?? ''))
  ) {
    findings.push('no kill met work');
  }
  const { inputs, distinctTexts: distinct } = await lab.embeddings.counters();
  const cap = { inHand: crew.inHand, lost: await crew.lost() };
  // Text by text: what one fault had in hand must not pay for another text that was paid twice.
  const unexplained = crew.unexplained(await lab.embeddings.texts(''));
  if (unexplained > cap.lost) {
    findings.push(
      `${inputs - distinct} inputs were paid again; ${unexplained} of them were not in hand, and ${cap.lost} were lost on their way`,
    );
  }
  await undone(() => removeGate(lab.sql));
  return {
    scenario,
    faults: scenario.faults.map(({ kind, at, durationMs }, index) => ({
      kind,
      at,
      durationMs,
      hit: inflictions[index]?.hit ?? false,
      detail: inflictions[index]?.detail ?? 'not inflicted',
    })),
    findings,
    warnings: findings.length > 0 ? crew.warnings() : [],
    audit,
    halts: operator.halts,
    runs,
    writes: writers.writes,
    inputs,
    distinct,
    cap,
    seconds: (performance.now() - begin) / 1_000,
  };
}

/** No fault is a reason for a batch or a record to fail. */
function judged({ status, totals }: MigrationResult): string[] {
  if (status === 'completed' && totals.failed === 0) return [];
  return [
    `a run ended as ${status} with ${totals.failedBatches} failed batches and ${totals.failed} failed records`,
  ];
}

function ignoreAbort(error: unknown): undefined {
  if (!(error instanceof Error) || error.name !== 'AbortError') throw error;
}
