import { defaultPayloadConverter } from '@temporalio/common';
import { WorkflowNotFoundError, type Client, type WorkflowHandle } from '@temporalio/client';
import { migrationWorkflowId } from '../job/job.ts';
import type { BatchHeartbeat, JobStatus, MigrationResult, PauseReason, PlanSize } from '../job/job.ts';
import { partitionProgress, progress } from '../job/messages.ts';
import type { MigrationProgress } from '../job/messages.ts';
import { addTotals, type Totals } from '../job/outcome.ts';
import { isFaultCode } from '../errors.ts';
import { isCancelRequested, notOpen } from './control.ts';
import { opened } from './opened.ts';
import { pollers, within, type Poller } from './pollers.ts';

/** What activities wait for. */
export interface Wait {
  /** A fault code, `rate_budget` or `memory_budget`. */
  readonly reason: string;
  /** ISO 8601: the longest of these waits. */
  readonly since: string;
  /** Activities that wait: batches in hand, planning, or the ledger's mirror. */
  readonly count: number;
}

/** A job at one moment. */
export interface Snapshot {
  readonly name: string;
  /** UUID of the job. */
  readonly jobId: string;
  readonly workflowId: string;
  /** `unknown` if no worker answers; `terminated`, `timed_out` or `failed` as Temporal has it. */
  readonly status: JobStatus | 'terminated' | 'timed_out' | 'unknown';
  readonly isOpen: boolean;
  /** The job is open, and ends as soon as a worker runs and batches in hand have finished their records. */
  readonly isCancelRequested: boolean;
  readonly pauseReason: PauseReason | null;
  readonly pauseDetail: string | null;
  /** Why it failed before its first batch; null if it did not. */
  readonly failure: string | null;
  readonly phase: MigrationProgress['phase'] | null;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly collection: string | null;
  readonly notes: readonly string[];
  readonly plan: PlanSize | null;
  readonly totals: Totals | null;
  /** Workflow ids of the batches in hand. */
  readonly batchesInHand: readonly string[];
  readonly waits: readonly Wait[];
  /** Reports that the ledger does not have yet; null if unknown. */
  readonly unmirrored: number | null;
  /** Workers that have polled within the last 70 s, newest first; null if the server did not say. */
  readonly workers: readonly Poller[] | null;
}

/**
 * Asks the root and its open partitions. If no worker answers in time, what the server alone knows.
 *
 * @param timeoutMs for the answers of workers
 * @throws InputError if there is no job of that name
 */
export async function snapshotMigration(client: Client, name: string, timeoutMs = 3_000): Promise<Snapshot> {
  const workflowId = migrationWorkflowId(name);
  const handle = client.workflow.getHandle(workflowId);
  const description = await handle.describe().catch((error: unknown) => {
    throw error instanceof WorkflowNotFoundError ? notOpen(name) : error;
  });
  const isOpen = description.status.name === 'RUNNING';
  const base = {
    name,
    jobId: description.raw.workflowExecutionInfo?.firstRunId ?? description.runId,
    workflowId,
    isOpen,
    isCancelRequested: isOpen && isCancelRequested(description),
    startedAt: description.startTime.toISOString(),
    endedAt: description.closeTime?.toISOString() ?? null,
    ...NOTHING_KNOWN,
  };
  if (!isOpen) return { ...base, ...(await ended(handle, description.status.name)) };
  const [workers, answer] = await Promise.all([
    pollers(client),
    within(client, timeoutMs, () => handle.query(progress)),
  ]);
  if (answer === null) return { ...base, workers };
  return { ...base, workers, ...(await openSnapshot(client, workflowId, answer, timeoutMs)) };
}

const NOTHING_KNOWN = {
  status: 'unknown',
  pauseReason: null,
  pauseDetail: null,
  failure: null,
  phase: null,
  collection: null,
  notes: [],
  plan: null,
  totals: null,
  batchesInHand: [],
  waits: [],
  unmirrored: null,
  workers: null,
} as const;

async function ended(handle: WorkflowHandle, status: string): Promise<Partial<Snapshot>> {
  if (status === 'TERMINATED') return { status: 'terminated' };
  if (status === 'TIMED_OUT') return { status: 'timed_out' };
  if (status !== 'COMPLETED') return { status: status === 'CANCELLED' ? 'cancelled' : 'failed' };
  const result = (await handle.result()) as MigrationResult;
  const { status: own, failure, collection, notes, plan, totals } = result;
  return { status: own, phase: 'ended', failure, collection, notes, plan, totals };
}

async function openSnapshot(
  client: Client,
  migrationId: string,
  answer: MigrationProgress,
  timeoutMs: number,
): Promise<Partial<Snapshot>> {
  const partitions = await Promise.all(
    answer.open.map((id) =>
      within(client, timeoutMs, () => client.workflow.getHandle(id).query(partitionProgress)),
    ),
  );
  const known = partitions.filter((partition) => partition !== null);
  const batchesInHand = known.flatMap(({ batch }) => (batch === null ? [] : [batch]));
  const waits = await Promise.all(
    [migrationId, ...answer.open, ...batchesInHand].map((id) =>
      within(client, timeoutMs, () => waitsOf(client, id)),
    ),
  );
  return {
    status: answer.status,
    pauseReason: answer.pauseReason,
    pauseDetail: answer.pauseDetail,
    phase: answer.phase,
    collection: answer.collection,
    notes: answer.notes,
    plan: answer.plan,
    // A sum without those that did not answer would seem to go back.
    totals:
      known.length < partitions.length
        ? null
        : known.reduce((sum, { totals }) => addTotals(sum, totals), answer.closed),
    batchesInHand,
    waits: summarise(waits.flatMap((own) => own ?? [])),
    unmirrored: known.reduce((sum, { unmirrored }) => sum + unmirrored, 0),
  };
}

/** What the pending activities of a workflow say in their heartbeats, and why the ledger's mirror failed last. */
async function waitsOf(client: Client, workflowId: string): Promise<{ reason: string; since: string }[]> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  await opened(client, raw.pendingActivities);
  return (raw.pendingActivities ?? []).flatMap(({ heartbeatDetails, lastFailure, ...times }) => {
    const payload = heartbeatDetails?.payloads?.[0];
    const heartbeat = payload == null ? null : defaultPayloadConverter.fromPayload<BatchHeartbeat>(payload);
    if (heartbeat !== null) return heartbeat.waiting ?? [];
    const reason = lastFailure?.applicationFailureInfo?.type ?? '';
    // Between two attempts there is no time of a start.
    const { lastStartedTime, lastAttemptCompleteTime, scheduledTime } = times;
    const seconds = [lastStartedTime, lastAttemptCompleteTime, scheduledTime].find(
      (time) => time != null,
    )?.seconds;
    const since = new Date(Number(seconds ?? 0) * 1_000).toISOString();
    return isFaultCode(reason) ? [{ reason, since }] : [];
  });
}

function summarise(waits: readonly { reason: string; since: string }[]): Wait[] {
  const byReason = Map.groupBy(waits, ({ reason }) => reason);
  return [...byReason].map(([reason, same]) => ({
    reason,
    since: same.map(({ since }) => since).sort()[0] ?? '',
    count: same.length,
  }));
}
