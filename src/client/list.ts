import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPES, type MigrationResult } from '../job/job.ts';

/** One run of a job, as Temporal's visibility store has it (a moment late). */
export interface ListedRun {
  readonly name: string;
  readonly jobId: string;
  readonly workflowId: string;
  /** As Temporal has it, in lower case: `running`, `completed`, `terminated`, … */
  readonly execution: string;
  /**
   * The job's own outcome: `completed`, `failed` or `cancelled`; as Temporal has it for a run that is open (also if it
   * is paused) or left no result.
   */
  readonly status: string;
  /** Records that failed; null if the run left no result. */
  readonly failedRecords: number | null;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string | null;
}

/** Results that are asked for at once. */
const CONCURRENCY = 8;

/** The runs that Temporal still keeps, newest first. */
export async function listMigrations(client: Client, limit = 50): Promise<ListedRun[]> {
  const runs: ListedRun[] = [];
  for await (const run of client.workflow.list({ query: `WorkflowType = '${WORKFLOW_TYPES.migration}'` })) {
    const execution = run.status.name.toLowerCase();
    runs.push({
      name: run.workflowId.replace(/^migration-/, ''),
      jobId: run.runId,
      workflowId: run.workflowId,
      execution,
      status: execution,
      failedRecords: null,
      startedAt: run.startTime.toISOString(),
      endedAt: run.closeTime?.toISOString() ?? null,
    });
    if (runs.length === limit) break;
  }
  return withOutcomes(client, runs);
}

/** A job that was cancelled or has failed completes as a workflow; its result says what became of it. */
async function withOutcomes(client: Client, runs: readonly ListedRun[]): Promise<ListedRun[]> {
  const known = [...runs];
  const left = known.entries();
  // They share the iterator, so each run is asked for once.
  const asker = async (): Promise<void> => {
    for (const [at, run] of left) {
      if (run.execution === 'completed') known[at] = { ...run, ...(await outcome(client, run)) };
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, asker));
  return known;
}

/** Nothing where the result is gone or is none of ours: the list is worth more than one line of it. */
async function outcome(client: Client, { workflowId, jobId }: ListedRun): Promise<Partial<ListedRun>> {
  try {
    const handle = client.workflow.getHandle(workflowId, jobId, { followRuns: false });
    const { status, totals } = (await handle.result()) as MigrationResult;
    return { status, failedRecords: totals.failed };
  } catch {
    return {};
  }
}
