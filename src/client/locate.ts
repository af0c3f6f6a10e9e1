import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { migrationWorkflowId } from '../job/job.ts';
import type { BatchEnd, BatchPlan, PartitionPlan } from '../job/job.ts';
import { ActivityResult, historyEvents } from './history.ts';

/** Which batch of a job's latest run a record belongs to. */
export interface RecordPlace {
  /** The root workflow, its run, and how it stands in Temporal, in lower case. */
  readonly workflowId: string;
  readonly runId: string;
  /** UUID of the job. */
  readonly jobId: string;
  readonly status: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /**
   * `planned`: see `batch`; `next_run`: the record lies beyond the plan; `unplanned`: the run, or the record's part of
   * it, has no plan yet; `forgotten`: Temporal has removed that part of the history.
   */
  readonly plan: 'planned' | 'next_run' | 'unplanned' | 'forgotten';
  /** Workflow id of the partition; null unless it is known. */
  readonly partition: string | null;
  readonly batch: BatchPlace | null;
}

/** A batch, and what it says of the record. */
export interface BatchPlace {
  readonly workflowId: string;
  /** Null if it has not begun. */
  readonly runId: string | null;
  /** Number within the job. */
  readonly number: number;
  /**
   * As Temporal has it, in lower case; `pending`: not begun yet; `not_found`: never begun in a run that has ended, or
   * removed; `halted`: paused the job, and runs again.
   */
  readonly status: string;
  /** Fault code of the record, or of a halt; null if neither is known. */
  readonly code: string | null;
}

/**
 * Finds the batch of a record in the histories of the latest run of a job; no worker is needed.
 *
 * @returns null if Temporal has no run of that name
 */
export async function locateRecord(
  client: Client,
  name: string,
  recordId: string,
): Promise<RecordPlace | null> {
  const workflowId = migrationWorkflowId(name);
  const root = await orNull(client.workflow.getHandle(workflowId).describe());
  if (root === null) return null;
  const base = {
    workflowId,
    runId: root.runId,
    jobId: root.raw.workflowExecutionInfo?.firstRunId ?? root.runId,
    status: root.status.name.toLowerCase(),
    startedAt: root.startTime.toISOString(),
    partition: null,
    batch: null,
  };
  const id = BigInt(recordId);
  const plan = await partitionPlan(client, { workflowId, runId: root.runId }, id);
  if (typeof plan === 'string') return { ...base, plan };
  const partition = `${workflowId}/p${plan.partition.index}`;
  if (plan.runId === null) return { ...base, plan: 'unplanned', partition };
  const index = await batchIndex(client, { workflowId: partition, runId: plan.runId }, id);
  if (typeof index === 'string') return { ...base, plan: index, partition };
  const batch = plan.partition.firstBatch + index;
  return {
    ...base,
    plan: 'planned',
    partition,
    batch: await batchPlace(client, partition, batch, root, recordId),
  };
}

/** The root's plan for a record, and the first execution of its partition if that has begun. */
async function partitionPlan(
  client: Client,
  execution: { workflowId: string; runId: string },
  id: bigint,
): Promise<{ partition: PartitionPlan; runId: string | null } | 'unplanned' | 'next_run'> {
  const result = new ActivityResult<PartitionPlan[]>('planPartitions');
  let partition: PartitionPlan | undefined;
  for await (const event of historyEvents(client, execution)) {
    const plan = result.read(event);
    if (plan !== null) {
      partition = plan.find((part) => covers(part, id));
      if (partition === undefined) return 'next_run';
    }
    const child = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution;
    if (partition !== undefined && child?.workflowId === `${execution.workflowId}/p${partition.index}`) {
      return { partition, runId: child.runId ?? null };
    }
  }
  return partition === undefined ? 'unplanned' : { partition, runId: null };
}

/** Which of a partition's batches a record belongs to. */
async function batchIndex(
  client: Client,
  execution: { workflowId: string; runId: string },
  id: bigint,
): Promise<number | 'unplanned' | 'forgotten'> {
  const result = new ActivityResult<BatchPlan[]>('planBatches');
  try {
    for await (const event of historyEvents(client, execution)) {
      const plan = result.read(event);
      if (plan !== null) return plan.findIndex((batch) => covers(batch, id));
    }
    return 'unplanned';
  } catch (error) {
    if (isNotFound(error)) return 'forgotten';
    throw error;
  }
}

async function batchPlace(
  client: Client,
  partition: string,
  number: number,
  root: { readonly runId: string; readonly status: { readonly name: string } },
  recordId: string,
): Promise<BatchPlace> {
  const workflowId = `${partition}/b${number}`;
  const description = await orNull(client.workflow.getHandle(workflowId).describe());
  // Ids are those of every run of the job: an execution may be of an earlier one.
  const ofRun = description?.raw.workflowExecutionInfo?.rootExecution?.runId ?? root.runId;
  if (description === null || ofRun !== root.runId) {
    const status = root.status.name === 'RUNNING' ? 'pending' : 'not_found';
    return { workflowId, runId: null, number, status, code: null };
  }
  const { runId } = description;
  const status = description.status.name.toLowerCase();
  if (status !== 'completed') return { workflowId, runId, number, status, code: null };
  const end = (await client.workflow.getHandle(workflowId, runId).result()) as BatchEnd;
  if ('halted' in end) return { workflowId, runId, number, status: 'halted', code: end.halted.code };
  const code = end.failed.find(([failedId]) => failedId === recordId)?.[1] ?? null;
  return { workflowId, runId, number, status, code };
}

function covers({ after, upTo }: { after: string; upTo: string }, id: bigint): boolean {
  return id > BigInt(after) && id <= BigInt(upTo);
}

/** gRPC's NOT_FOUND. */
const NOT_FOUND = 5;

function isNotFound(error: unknown): boolean {
  return error instanceof WorkflowNotFoundError || (error as { code?: unknown }).code === NOT_FOUND;
}

async function orNull<T>(request: Promise<T>): Promise<T | null> {
  try {
    return await request;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
