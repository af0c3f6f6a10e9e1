/**
 * `node scripts/record-histories.ts`: records how the workflows of this release run, into test/histories/<release>/, for
 * test/workflows/replay.test.ts. The activities are fakes, the Temporal server is one of its own.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir, hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure, Context } from '@temporalio/activity';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { cancelMigration, resumeMigration } from '../src/client/control.ts';
import { snapshotMigration } from '../src/client/snapshot.ts';
import { startMigration } from '../src/client/start.ts';
import { migrationWorkflowId, type Activities } from '../src/job/job.ts';
import type { JobSpecification } from '../src/job/specification.ts';
import { temporal } from '../src/stack/temporal.ts';
import { fakeSpecification } from '../test/support/specification.ts';
import { fakeActivities, fakePartition, temporalLab, type TemporalLab } from '../test/support/temporal.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
/** So few events that a partition of a few batches continues as new. */
const CONTINUE_AFTER_EVENTS = 36;
const PATIENCE_MS = 60_000;

interface HistoryEvent {
  readonly eventType: string;
  readonly workflowExecutionStartedEventAttributes?: { readonly continuedExecutionRunId?: string };
}
interface History {
  readonly events: readonly HistoryEvent[];
}

/** The parts of a job that has run. */
interface Recorder {
  readonly name: string;
  readonly client: TemporalLab['client'];
  readonly until: (what: string, condition: () => Promise<boolean>) => Promise<void>;
  /** Waits for the end of the job. */
  readonly end: () => Promise<void>;
  /**
   * Keeps the history of a part of the job under `file`.
   *
   * @param part `p0` or `p0/b0`; empty for the root
   * @param proof an event without which it would not be the history that is wanted
   */
  readonly keep: (file: string, part: string, proof: string) => Promise<void>;
}

const histories = new Map<string, History>();

/** Runs one job and lets `body` keep what it wants of it. */
async function record(
  lab: TemporalLab,
  name: string,
  changes: Partial<Activities>,
  body: (recorder: Recorder) => Promise<void>,
  specification: Partial<JobSpecification> = {},
): Promise<void> {
  console.log(name);
  const id = migrationWorkflowId(name);
  await lab.withWorkers(fakeActivities(changes), async () => {
    await startMigration(lab.client, { name, specification: fakeSpecification(specification) });
    await body({
      name,
      client: lab.client,
      until: async (what, condition) => {
        for (const deadline = Date.now() + PATIENCE_MS; Date.now() < deadline; await sleep(50)) {
          if (await condition()) return;
        }
        throw new Error(`${name}: not within ${PATIENCE_MS} ms: ${what}`);
      },
      end: async () => void (await lab.client.workflow.getHandle(id).result()),
      keep: async (file, part, proof) => {
        const runs = await runsOf(lab, part === '' ? id : `${id}/${part}`);
        assert.ok(
          runs[0]?.events.some(({ eventType }) => eventType === `EVENT_TYPE_${proof}`),
          `${file} has no event ${proof}`,
        );
        for (const [k, run] of runs.entries()) {
          histories.set(runs.length === 1 ? file : `${file}-run-${k + 1}`, run);
        }
      },
    });
  });
}

/** The histories of a workflow's newest run and of those that continued as it, in order of time. */
async function runsOf(lab: TemporalLab, workflowId: string): Promise<History[]> {
  const runs: History[] = [];
  for (let runId: string | undefined, isFirst = true; isFirst || runId; isFirst = false) {
    const history = await lab.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const run = JSON.parse(historyToJSON(history)) as History;
    runs.unshift(run);
    runId = run.events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId;
  }
  return runs;
}

/** Fields that replay has no use for; the first may name paths. */
const LEFT_OUT = new Set(['stackTrace', 'workerVersion', 'requestId', 'taskId', 'meteringMetadata']);

/** Leaves out who and where: identities, names of sticky queues (they contain the identity) and stack traces. */
function anonymous(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(anonymous);
  if (typeof value !== 'object' || value === null) return value;
  const isSticky = 'kind' in value && value.kind === 'TASK_QUEUE_KIND_STICKY';
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !LEFT_OUT.has(key))
      .map(([key, field]) => {
        const isIdentity = key === 'identity' || (isSticky && key === 'name');
        return [key, isIdentity ? 'recorder' : anonymous(field)];
      }),
  );
}

/** One line for each field, and for each object that holds no other. */
function pretty(value: unknown): string {
  const lines = `${JSON.stringify(value, null, 1)}\n`;
  return lines.replace(/\{[^{}[\]]*\}/g, (leaf) => leaf.replace(/\s*\n\s*/g, ' '));
}

/** @throws AssertionError when something in it, or in one of its payloads, tells of this machine */
function assertAnonymous(file: string, history: string): void {
  const payloads = [...history.matchAll(/"data": "([^"]*)"/g)].map(([, data]) =>
    Buffer.from(data as string, 'base64').toString(),
  );
  for (const text of [history, ...payloads]) {
    for (const local of [`@${hostname()}`, homedir(), root, 'file://', 'node_modules', `${process.pid}@`]) {
      assert.ok(!text.includes(local), `${file} contains ${local}`);
    }
  }
}

const fine = fakeActivities();

/** A plan of that many partitions with one batch each. */
const planOf = (partitions: number) => async () =>
  Array.from({ length: partitions }, (_, index) => fakePartition(index, 1));

const withoutLedger: Activities['prepareTarget'] = async (input) => ({
  ...(await fine.prepareTarget(input)),
  hasLedger: false,
});

async function recordAll(lab: TemporalLab): Promise<void> {
  await record(lab, 'completed', { planPartitions: planOf(2) }, async ({ end, keep }) => {
    await end();
    await keep('migration-completed', '', 'WORKFLOW_EXECUTION_COMPLETED');
    await keep('batch-completed', 'p0/b0', 'WORKFLOW_EXECUTION_COMPLETED');
  });

  let isBroken = true;
  const halting: Activities['reconcileBatch'] = async (input) => {
    if (isBroken && input.batch === 0) {
      throw ApplicationFailure.nonRetryable('no', 'embedding_access_denied');
    }
    return fine.reconcileBatch(input);
  };
  const pausing = { prepareTarget: withoutLedger, planPartitions: planOf(2), reconcileBatch: halting };
  await record(lab, 'halted', pausing, async ({ name, client, until, end, keep }) => {
    await until('paused', async () => (await snapshotMigration(client, name)).status === 'paused');
    // The resume starts another run of the same id.
    await keep('batch-halted', 'p0/b0', 'ACTIVITY_TASK_FAILED');
    isBroken = false;
    await resumeMigration(client, name);
    await end();
    await keep('migration-halted-and-resumed', '', 'WORKFLOW_EXECUTION_SIGNALED');
    await keep('partition-halted-and-resumed', 'p0', 'WORKFLOW_EXECUTION_SIGNALED');
  });

  const untilCancelled: Activities['reconcileBatch'] = async () => {
    const context = Context.current();
    const timer = setInterval(() => context.heartbeat(), 200);
    return context.cancelled.finally(() => clearInterval(timer));
  };
  // The third partition never begins.
  const cancelling = { planPartitions: planOf(3), reconcileBatch: untilCancelled };
  await record(lab, 'cancelled', cancelling, async ({ name, client, until, end, keep }) => {
    await until('two batches in hand', async () => {
      return (await snapshotMigration(client, name)).batchesInHand.length === 2;
    });
    await cancelMigration(client, name);
    await end();
    await keep('migration-cancelled', '', 'WORKFLOW_EXECUTION_CANCEL_REQUESTED');
    await keep('partition-cancelled', 'p0', 'WORKFLOW_EXECUTION_CANCEL_REQUESTED');
    await keep('batch-cancelled', 'p0/b0', 'WORKFLOW_EXECUTION_CANCELED');
  });

  const unexpected = async (): Promise<never> => {
    throw ApplicationFailure.nonRetryable('An unexpected TypeError', 'unexpected');
  };
  await record(lab, 'unprepared', { prepareTarget: unexpected }, async ({ end, keep }) => {
    await end();
    await keep('migration-not-prepared', '', 'ACTIVITY_TASK_FAILED');
  });

  const failing = { prepareTarget: withoutLedger, planPartitions: planOf(1), reconcileBatch: unexpected };
  await record(lab, 'failed', failing, async ({ end, keep }) => {
    await end();
    await keep('batch-failed', 'p0/b0', 'WORKFLOW_EXECUTION_FAILED');
    await keep('partition-with-failed-batch', 'p0', 'CHILD_WORKFLOW_EXECUTION_FAILED');
  });

  let isOut = true;
  const outage = {
    planPartitions: planOf(1),
    mirrorLedger: async () => {
      if (isOut) throw ApplicationFailure.retryable('out', 'ledger_unavailable');
    },
  };
  await record(lab, 'outage', outage, async ({ name, client, until, end, keep }) => {
    await until('all batches have ended', async () => {
      return (await snapshotMigration(client, name)).totals?.completedBatches === 1;
    });
    const part = client.workflow.getHandle(`${migrationWorkflowId(name)}/p0`);
    await until('drained', async () => {
      const { events } = await part.fetchHistory();
      return events?.some((event) => event.externalWorkflowExecutionSignaledEventAttributes) ?? false;
    });
    isOut = false;
    await end();
    await keep('partition-drained', 'p0', 'SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED');
    await keep('migration-told-of-drained', '', 'WORKFLOW_EXECUTION_SIGNALED');
  });

  const slowLedger = {
    planPartitions: async () => [fakePartition(0, 4)],
    // Under way when the partition continues as new.
    mirrorLedger: async () => sleep(1_000),
  };
  await record(lab, 'continued', slowLedger, async ({ end, keep }) => {
    await end();
    await keep('partition-continued-as-new', 'p0', 'WORKFLOW_EXECUTION_CONTINUED_AS_NEW');
  });
}

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const folder = join(root, 'test', 'histories', version);
  if (existsSync(folder)) {
    throw new Error(
      `test/histories/${version} exists; remove it first, but never after that release is out.`,
    );
  }
  const cli = (await temporal.resolve()) ?? (await temporal.install(console.log));
  if (cli.kind === 'address' || cli.kind === 'docker') {
    throw new Error('The recorder starts a Temporal server of its own, from a program on this machine.');
  }
  const limit = `limit.historyCount.suggestContinueAsNew=${CONTINUE_AFTER_EVENTS}`;
  const server = await TestWorkflowEnvironment.createLocal({
    server: {
      executable: { type: 'existing-path', path: cli.program },
      extraArgs: ['--dynamic-config-value', limit],
    },
  });
  try {
    const lab = await temporalLab(server.address);
    try {
      await recordAll(lab);
    } finally {
      await lab.close();
    }
  } finally {
    await server.teardown();
  }
  const files = [...histories].map(([file, history]) => {
    const text = pretty(anonymous(history));
    assertAnonymous(file, text);
    return { file, text };
  });
  mkdirSync(folder, { recursive: true });
  for (const { file, text } of files) writeFileSync(join(folder, `${file}.json`), text);
  const bytes = files.reduce((sum, { text }) => sum + text.length, 0);
  console.log(`${files.length} histories in test/histories/${version}, ${Math.ceil(bytes / 1024)} kB`);
}

await main();
