import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Activities, JobContext, PartitionPlan } from '../../src/job/job.ts';
import { LEDGER_TASK_QUEUE, TASK_QUEUE } from '../../src/job/job.ts';
import type { JobSpecification } from '../../src/job/specification.ts';
import { sourceBundle, workflowCacheFolder } from '../../src/workflow-cache.ts';
import { testStack } from './stack.ts';

Runtime.install({
  logger: new DefaultLogger('ERROR', ({ message, meta }) => {
    // Failing activities are what these tests are about.
    if (!/Activity|Workflow/.test(message)) console.error(message, meta);
  }),
});

const WORKFLOWS = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));

/** A namespace of its own on the tests' Temporal server. */
export interface TemporalLab {
  readonly client: Client;
  /** Runs workers with these activities (fakes) while `body` runs. */
  withWorkers<T>(activities: Activities, body: () => Promise<T>, workflowsPath?: string): Promise<T>;
  close(): Promise<void>;
}

/**
 * @param address of the Temporal server; by default the one of the tests' stack
 * @throws Error when the tests were not started by `npm test` and no address is given
 */
export async function temporalLab(
  address = testStack().environment().TEMPORAL_ADDRESS as string,
): Promise<TemporalLab> {
  const namespace = `test-${randomUUID().slice(0, 8)}`;
  const connection = await Connection.connect({ address });
  await registerNamespace(connection, namespace);
  const client = new Client({ connection, namespace });
  const native = await NativeConnection.connect({ address });
  return {
    client,
    withWorkers: async (activities, body, workflowsPath = WORKFLOWS) => {
      const { mirrorLedger, ...work } = activities;
      const shared = { connection: native, namespace, maxHeartbeatThrottleInterval: '500ms' } as const;
      const main = await Worker.create({
        ...shared,
        taskQueue: TASK_QUEUE,
        workflowBundle: await sourceBundle(workflowsPath, {
          folder: workflowCacheFolder(process.env),
          logger: Runtime.instance().logger,
        }),
        activities: work,
        maxCachedWorkflows: 50,
      });
      const ledger = await Worker.create({
        ...shared,
        taskQueue: LEDGER_TASK_QUEUE,
        activities: { mirrorLedger },
      });
      return main.runUntil(() => ledger.runUntil(body));
    },
    close: async () => {
      await native.close();
      await connection.close();
    },
  };
}

/** Registers a namespace and waits until the server uses it. */
export async function registerNamespace(connection: Connection, namespace: string): Promise<void> {
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
  });
  for (let tries = 0; tries < 100; tries++) {
    try {
      await connection.workflowService.listWorkflowExecutions({ namespace, pageSize: 1 });
      return;
    } catch {
      await sleep(100);
    }
  }
  throw new Error(`The namespace ${namespace} did not become usable within 10 s.`);
}

export function fakePartition(index: number, batches: number, firstBatch = index * batches): PartitionPlan {
  return {
    index,
    after: String(firstBatch * 10),
    upTo: String((firstBatch + batches) * 10),
    pointsUpTo: String((firstBatch + batches) * 10),
    firstBatch,
    batches,
    records: batches * 10,
  };
}

export function fakeJob(specification: JobSpecification): JobContext {
  return {
    name: 'fake',
    jobId: randomUUID(),
    specification,
    collection: 'memos_v1',
    hasLedger: true,
    startedAt: new Date(0).toISOString(),
  };
}

/** Activities that do nothing, well; each may be replaced. */
export function fakeActivities(changes: Partial<Activities> = {}): Activities {
  return {
    prepareTarget: async () => ({ collection: 'memos_v1', notes: [], hasLedger: true }),
    planPartitions: async () => [fakePartition(0, 2), fakePartition(1, 2)],
    planBatches: async ({ partition }) =>
      Array.from({ length: partition.batches }, (_, k) => {
        const first = partition.firstBatch + k;
        const upTo = String((first + 1) * 10);
        return { after: String(first * 10), upTo, pointsUpTo: upTo };
      }),
    reconcileBatch: async ({ batch }) => ({
      firstId: String(batch * 10 + 1),
      lastId: String(batch * 10 + 10),
      records: 10,
      written: 10,
      unchanged: 0,
      skipped: 0,
      failed: [],
      orphans: 0,
      pointsWritten: 40,
      pointsDeleted: 0,
      inputs: 30,
      tokens: 300,
      attempts: 1,
      worker: 'fake',
    }),
    mirrorLedger: async () => undefined,
    ...changes,
  };
}
