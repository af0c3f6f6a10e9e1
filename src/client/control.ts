import { WorkflowNotFoundError, type Client, type WorkflowExecutionDescription } from '@temporalio/client';
import { InputError } from '../errors.ts';
import { migrationWorkflowId, type MigrationResult } from '../job/job.ts';
import { pause, resume } from '../job/messages.ts';

/** No open job has that name. */
export function notOpen(name: string): InputError {
  return new InputError([`NAME: no open job is called ${name}; \`ferry list\` shows the jobs there are.`]);
}

/**
 * Starts no further batch; batches in hand end normally. Works while no worker runs.
 *
 * @throws InputError if no open job has that name, or its cancellation was requested
 */
export async function pauseMigration(client: Client, name: string): Promise<void> {
  await signalUnlessCancelled(client, name, pause);
}

/** Goes on with a paused job. @throws InputError as {@link pauseMigration} */
export async function resumeMigration(client: Client, name: string): Promise<void> {
  await signalUnlessCancelled(client, name, resume);
}

/** Whether a cancellation was requested that the job may not know of yet: no worker has to run for it. */
export function isCancelRequested({ raw }: WorkflowExecutionDescription): boolean {
  return raw.workflowExtendedInfo?.cancelRequested === true;
}

/** A job that ends does neither pause nor go on, and would not say so. */
async function signalUnlessCancelled(
  client: Client,
  name: string,
  request: typeof pause | typeof resume,
): Promise<void> {
  const handle = client.workflow.getHandle(migrationWorkflowId(name));
  const description = await orNotOpen(name, handle.describe());
  if (description.status.name === 'RUNNING' && isCancelRequested(description)) {
    throw new InputError([
      `NAME: the cancellation of ${name} was requested, so it can neither pause nor go on; it ends when a worker runs, and then \`ferry start\` goes on with what is left.`,
    ]);
  }
  await orNotOpen(name, handle.signal(request));
}

/**
 * Ends a job: batches in hand finish the record they are at. Returns when the request is recorded.
 *
 * @throws InputError if no open job has that name
 */
export async function cancelMigration(client: Client, name: string): Promise<void> {
  await orNotOpen(name, client.workflow.getHandle(migrationWorkflowId(name)).cancel());
}

/** Waits for a job's end. @throws InputError if there is no job of that name */
export async function migrationResult(client: Client, name: string): Promise<MigrationResult> {
  return orNotOpen(
    name,
    client.workflow.getHandle(migrationWorkflowId(name)).result() as Promise<MigrationResult>,
  );
}

async function orNotOpen<T>(name: string, request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw notOpen(name);
    throw error;
  }
}
