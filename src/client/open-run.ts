import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { migrationWorkflowId } from '../job/job.ts';

const NAMESPACE_PATIENCE_MS = 20_000;

/**
 * Whether a run of that job is open. A Temporal that was started a moment ago takes a while to see its own namespace
 * everywhere; that is waited for.
 */
export async function hasOpenRun(client: Client, name: string): Promise<boolean> {
  for (const deadline = Date.now() + NAMESPACE_PATIENCE_MS; ; await sleep(200)) {
    try {
      const { status } = await client.workflow.getHandle(migrationWorkflowId(name)).describe();
      return status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      if (!(error instanceof NamespaceNotFoundError) || Date.now() > deadline) throw error;
    }
  }
}
