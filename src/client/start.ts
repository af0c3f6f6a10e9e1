import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { InputError } from '../errors.ts';
import { migrationWorkflowId, TASK_QUEUE, WORKFLOW_TYPES } from '../job/job.ts';
import type { MigrationInput } from '../job/job.ts';
import { differingFields } from '../job/specification.ts';
import { opened } from './opened.ts';

/** A slash would make the workflow id that of a part of another job. */
const NAME = /^(?! )[^/\p{Cc}]{1,200}(?<! )$/u;

/** The job of that name is open already; the command exits 2 and shows the run. */
export class AlreadyOpenError extends Error {
  override readonly name = 'AlreadyOpenError';

  constructor(name: string) {
    super(`The job ${name} is open already; follow it with \`ferry watch\` or \`ferry start --attach\`.`);
  }
}

/**
 * Starts a job. Temporal keeps at most one open run of a name, so two callers cannot both start it.
 *
 * @param options.attach follow the open run instead, if there is one
 * @returns UUID of the job, and whether this call started it
 * @throws AlreadyOpenError unless `attach` is set
 * @throws InputError with `attach`, if the open run has another specification; names the fields
 */
export async function startMigration(
  client: Client,
  input: MigrationInput,
  options: { attach?: boolean } = {},
): Promise<{ jobId: string; isNew: boolean }> {
  if (!NAME.test(input.name)) {
    throw new InputError([
      '--name: expected 1 to 200 characters without slashes, spaces at the ends and control characters.',
    ]);
  }
  const workflowId = migrationWorkflowId(input.name);
  try {
    const handle = await client.workflow.start(WORKFLOW_TYPES.migration, {
      workflowId,
      taskQueue: TASK_QUEUE,
      args: [input],
      workflowIdConflictPolicy: 'FAIL',
      staticSummary: `${input.specification.source} to ${input.specification.collection.name}`,
    });
    return { jobId: handle.firstExecutionRunId, isNew: true };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    if (options.attach !== true) throw new AlreadyOpenError(input.name);
    const { jobId, specification } = await openRun(client, workflowId);
    const differing = differingFields(specification, input.specification);
    if (differing.length > 0) {
      throw new InputError([
        `--attach: the open run of ${input.name} has another specification; it differs in ${differing.join(', ')}. Follow it as it is with \`ferry watch\`, or cancel it first.`,
      ]);
    }
    return { jobId, isNew: false };
  }
}

/** What the open run was started with: the first event of its history, so no worker is needed. */
async function openRun(
  client: Client,
  workflowId: string,
): Promise<{ jobId: string; specification: unknown }> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId },
    maximumPageSize: 1,
  });
  const attributes = (await opened(client, history))?.events?.[0]?.workflowExecutionStartedEventAttributes;
  const payload = attributes?.input?.payloads?.[0];
  const input = payload == null ? null : defaultPayloadConverter.fromPayload<MigrationInput>(payload);
  return { jobId: attributes?.firstExecutionRunId ?? '', specification: input?.specification };
}
