import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { inputsInHand } from '../support/inputs-in-hand.ts';
import { Lab, until, type WorkerProcess } from '../support/lab.ts';
import { changedRelease, type Changes, type Release } from '../support/release.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';

// What a replay has to say is in its error.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { forward: {}, filter: 'OFF' } },
});

/** 32 partitions of two batches. */
const ROWS = 320;
const BATCH_SIZE = 5;
const LATENCY_MS = 300;
/** How long answers take while batches are to be seen in hand: longer than a look at the job on a busy machine. */
const HELD_MS = 4_000;
const ROOT_ID = 'migration-ip_summary-to-memos';

/** A step that the workflows of this release do not have. */
function withStep(step: (workflow: string) => string): Changes {
  const imports = "import { runActivity } from './activity.ts';";
  const more = `import { patched as isPatched, sleep as nap } from '@temporalio/workflow';\n${imports}`;
  const started = 'running.push(this.#partition(part));';
  const next = 'const isDone = await this.#batch(plan[next] as BatchPlan);';
  return {
    'workflows/migration.ts': [
      [imports, more],
      [started, `${started} ${step('migration')}`],
    ],
    'workflows/partition.ts': [
      [imports, more],
      [next, `${step('partition')} ${next}`],
    ],
  };
}

/** A next release made with care: its steps are patches, and what its jobs and heartbeats have gained may be missing. */
const CAREFUL: Changes = {
  ...withStep((workflow) => `if (isPatched('nap-in-${workflow}')) await nap(1);`),
  'job/specification.ts': [
    ['readonly batchSize: number;', 'readonly batchSize: number;\n  readonly courtesy?: string;'],
  ],
  'job/job.ts': [
    ['export interface BatchHeartbeat {', 'export interface BatchHeartbeat {\n  readonly courtesy?: string;'],
  ],
  'activities/reconcile-batch.ts': [
    [
      'const { chunking, table, prune, source } = specification;',
      `const { chunking, table, prune, source } = specification;
  const beat = Context.current().info.heartbeatDetails as { courtesy?: string } | undefined;
  const courtesies = [specification.courtesy ?? 'none', beat === undefined ? 'first' : (beat.courtesy ?? 'none')];
  Context.current().log.info('courtesies: ' + courtesies.join('/'));`,
    ],
  ],
};
/** The same steps without patches. */
const CARELESS = withStep(() => 'await nap(1);');

/** Inputs in hand at the kills so far. */
let unacknowledged = 0;
let lab: Lab;
let careful: Release;
let careless: Release;
before(async () => {
  careful = changedRelease(CAREFUL);
  careless = changedRelease(CARELESS);
  lab = await Lab.open({ BATCH_SIZE: String(BATCH_SIZE), MAX_WORKERS: '2' });
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
  await lab.embeddings.behave({ latencyMs: LATENCY_MS });
});
after(async () => {
  // One without a worker, when a test has failed early, would keep the process alive.
  await Runtime.instance().shutdown();
  await lab.close();
  careful.close();
  careless.close();
});

test('the recorded histories replay with a step that is a patch, and not with the same step without', async () => {
  const folder = fileURLToPath(new URL('../histories', import.meta.url));
  const histories = globSync('**/*.json', { cwd: folder }).map((file) => {
    const history = JSON.parse(readFileSync(join(folder, file), 'utf8')) as History;
    const { workflowId = '' } = history.events[0]?.workflowExecutionStartedEventAttributes ?? {};
    return { workflowId, history };
  });
  assert.ok(histories.length > 0);
  const violations = async (release: Release): Promise<number> => {
    let count = 0;
    const replays = Worker.runReplayHistories({ workflowBundle: await bundle(release) }, histories);
    for await (const { error } of replays) if (error instanceof DeterminismViolationError) count++;
    return count;
  };
  assert.equal(await violations(careful), 0);
  assert.ok((await violations(careless)) > 0, 'the replay would not have noticed');
});

test('a job of this release: a careless release stands still at it, a careful one ends it; nothing lost or paid in vain', async () => {
  const own = await lab.worker();
  const started = await lab.ferry('start', '--detach', '--no-preflight');
  assert.equal(started.code, 0, started.stderr);
  await batchesEnded(10);
  const open = await inHand();
  await killInHand(own);

  // What the server has of the open job is what the next release will have to replay.
  const [old, blind] = [await bundle(careful), await bundle(careless)];
  for (const id of [ROOT_ID, ...open]) {
    assert.equal(await replays(old, await historyOf(id), id), true, id);
    assert.equal(await replays(blind, await historyOf(id), id), false, id);
  }

  const wrong = await lab.worker({}, careless.root);
  const first = open[0] as string;
  await until('the careless release meets the history', 120_000, async () =>
    isRefused(await historyOf(first)),
  );
  for (const id of [ROOT_ID, ...open]) {
    const { status } = await lab.client.workflow.getHandle(id).describe();
    assert.equal(status.name, 'RUNNING', `${id} waits for a release that can go on with it`);
  }
  await wrong.kill('SIGTERM');

  const next = await lab.worker({}, careful.root);
  await until('a partition that this release began goes on with the new step', 60_000, async () =>
    hasBoth(await historyOf(first)),
  );
  assert.match(next.log(), /courtesies: none\/first/, 'a specification without it');
  const mixed = await historyOf(first);
  assert.equal(
    await replays(old, mixed, first),
    true,
    'batches before the patch, and with it, in one history',
  );
  await inHand();
  await killInHand(next);
  const last = await lab.worker({}, careful.root);
  const { status, totals } = await lab.result();
  assert.deepEqual([status, totals.failed, totals.records], ['completed', 0, ROWS]);
  assert.match(
    next.log() + last.log(),
    /courtesies: none\/none/,
    'a specification and a heartbeat without it',
  );
  await assertClean();
  await last.kill('SIGTERM');
});

test('a rolling restart: both releases work on one job at once, and the next one ends it', async () => {
  await insertRows(lab.sql, distinctRows(ROWS, ROWS));
  const own = [await lab.worker(), await lab.worker()];
  const started = await lab.ferry('start', '--detach', '--no-preflight');
  assert.equal(started.code, 0, started.stderr);
  const next: WorkerProcess[] = [];
  for (const [k, worker] of own.entries()) {
    await batchesEnded(74 + 10 * k);
    next.push(await lab.worker({}, careful.root));
    await sleep(3_000);
    await worker.kill('SIGTERM');
  }
  const { status, totals } = await lab.result();
  assert.deepEqual([status, totals.failed, totals.written], ['completed', 0, ROWS]);
  await assertClean();
  await Promise.all(next.map((worker) => worker.kill('SIGTERM')));
});

test('going back: a job that the next release has begun stands still; terminated and started again it costs only what is left', async () => {
  await insertRows(lab.sql, distinctRows(ROWS, 2 * ROWS));
  const next = await lab.worker({}, careful.root);
  assert.equal((await lab.ferry('start', '--detach', '--no-preflight')).code, 0);
  await batchesEnded(138);
  const open = await inHand();
  await next.kill('SIGTERM');
  const own = await lab.worker();
  await until('this release meets the history', 120_000, async () => {
    const histories = await Promise.all(open.map(historyOf));
    return histories.some(isRefused);
  });
  await until('batches in hand have ended, which need nothing new', 60_000, () => nothingRuns("= 'batch'"));
  const why = ['--workflow-id', ROOT_ID, '--reason', 'back'];
  const terminated = await lab.temporal('workflow', 'terminate', ...why);
  assert.equal(terminated.code, 0, terminated.stderr);
  await until('nothing of it runs', 60_000, () => nothingRuns("!= 'any'"));
  const { status, totals } = await lab.migrate();
  assert.equal(status, 'completed');
  assert.ok(totals.written > 0 && totals.written < ROWS, `${totals.written} were left`);
  assert.equal(totals.unchanged, 3 * ROWS - totals.written);
  await assertClean();
  await own.kill('SIGTERM');
});

interface History {
  readonly events: readonly {
    readonly eventType?: unknown;
    readonly workflowExecutionStartedEventAttributes?: { readonly workflowId: string } | null;
    readonly markerRecordedEventAttributes?: object | null;
    readonly startChildWorkflowExecutionInitiatedEventAttributes?: object | null;
    readonly workflowTaskFailedEventAttributes?: {
      readonly failure?: { readonly message?: string | null } | null;
    } | null;
  }[];
}

async function bundle({ workflowsPath }: Release): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
}

/** @returns false when the workflows would have done something else */
async function replays(
  workflowBundle: WorkflowBundleWithSourceMap,
  history: History,
  workflowId: string,
): Promise<boolean> {
  try {
    await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
    return true;
  } catch (error) {
    if (error instanceof DeterminismViolationError) return false;
    throw error;
  }
}

async function historyOf(workflowId: string): Promise<History> {
  return (await lab.client.workflow.getHandle(workflowId).fetchHistory()) as unknown as History;
}

/** Whether a worker has found that it would have done something else. */
function isRefused({ events }: History): boolean {
  return events.some(({ workflowTaskFailedEventAttributes: failed }) =>
    /nondeterminism/i.test(failed?.failure?.message ?? ''),
  );
}

/** As docs/operations.md has it. @param type which workflows of the job are meant */
async function nothingRuns(type: string): Promise<boolean> {
  const query = `RootWorkflowId = '${ROOT_ID}' AND ExecutionStatus = 'Running' AND WorkflowType ${type}`;
  const { stdout } = await lab.temporal('workflow', 'count', '--query', query);
  return /Total: 0\b/.test(stdout);
}

/** Whether a batch was begun before the patch and another one with it. */
function hasBoth({ events }: History): boolean {
  const marker = events.findIndex((event) => event.markerRecordedEventAttributes);
  const begun = (from: number, to?: number): boolean =>
    events.slice(from, to).some((event) => event.startChildWorkflowExecutionInitiatedEventAttributes);
  return marker >= 0 && begun(0, marker) && begun(marker);
}

async function batchesEnded(count: number): Promise<void> {
  await until(`${count} batches have ended`, 240_000, async () => {
    return ((await lab.snapshot()).totals?.completedBatches ?? 0) >= count;
  });
}

/** Waits until two batches are in hand, one of them the first of its partition. @returns the partitions */
async function inHand(): Promise<string[]> {
  let batches: readonly string[] = [];
  await lab.embeddings.behave({ latencyMs: HELD_MS });
  await until('batches in hand', 60_000, async () => {
    batches = (await lab.snapshot()).batchesInHand;
    return batches.length === 2 && batches.some((id) => Number(id.split('/b')[1]) % 2 === 0);
  });
  await lab.embeddings.behave({ latencyMs: LATENCY_MS });
  return batches
    .toSorted((a, b) => (Number(a.split('/b')[1]) % 2) - (Number(b.split('/b')[1]) % 2))
    .map((id) => id.slice(0, id.lastIndexOf('/')));
}

/** SIGKILL; counts the inputs that were paid for it and not written. */
async function killInHand(worker: WorkerProcess): Promise<void> {
  await worker.kill();
  unacknowledged += await inputsInHand(lab, [worker.pid], HELD_MS + 500);
}

/** Everything is there once, and only inputs in hand at a kill were paid again. */
async function assertClean(): Promise<void> {
  const report = await lab.audit();
  assert.equal(report.ok, true, JSON.stringify(report));
  const { inputs, distinctTexts } = await lab.embeddings.counters();
  console.log(`    ${inputs} inputs paid, ${distinctTexts} distinct, ${unacknowledged} in hand at kills`);
  assert.equal(distinctTexts, report.children);
  assert.ok(inputs - distinctTexts <= unacknowledged, `${inputs - distinctTexts} were paid again`);
}
