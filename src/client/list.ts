import type { Client } from '@temporalio/client';
import { WORKFLOW_TYPES } from '../job/job.ts';

/** One run of a job, as Temporal's visibility store has it (a moment late). */
export interface ListedRun {
  readonly name: string;
  readonly jobId: string;
  readonly workflowId: string;
  /** As Temporal has it, in lower case: `running`, `completed`, `terminated`, … */
  readonly execution: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string | null;
}

/** The runs that Temporal still keeps, newest first. */
export async function listMigrations(client: Client, limit = 50): Promise<ListedRun[]> {
  const runs: ListedRun[] = [];
  for await (const run of client.workflow.list({ query: `WorkflowType = '${WORKFLOW_TYPES.migration}'` })) {
    runs.push({
      name: run.workflowId.replace(/^migration-/, ''),
      jobId: run.runId,
      workflowId: run.workflowId,
      execution: run.status.name.toLowerCase(),
      startedAt: run.startTime.toISOString(),
      endedAt: run.closeTime?.toISOString() ?? null,
    });
    if (runs.length === limit) break;
  }
  return runs;
}
