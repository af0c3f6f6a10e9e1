import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcDeadlineError, type Client, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { isEncrypting } from '../encryption/data-converter.ts';
import { InputError } from '../errors.ts';
import type { Inquiries, Inquiry } from '../job/inquiry.ts';
import { TASK_QUEUE, type BatchHeartbeat } from '../job/job.ts';
import { cancellable } from './cancellable.ts';
import { asInquiryError, InquiryError, interrupted } from './inquiry-error.ts';
import { opened } from './opened.ts';
import { pollers } from './pollers.ts';

/** What an inquiry is asked. */
export type Question<Name extends Inquiry> = Parameters<Inquiries[Name]>[0];
/** What it answers. */
export type Answer<Name extends Inquiry> = Awaited<ReturnType<Inquiries[Name]>>;

/** What the one who asks may want besides the answer. */
export interface Asking {
  /** Withdraws the question. */
  readonly signal?: AbortSignal;
  /** Told what the answer waits for (a fault code, `rate_budget`, `memory_budget` or `free_slot`), and null when it goes on. */
  readonly onWait?: (reason: string | null) => void;
}

/** After this long a worker that knows the inquiry would have begun it. */
const UNKNOWN_AFTER_MS = 20_000;
const STARTING_MS = 1_000;
const LOOK_INTERVAL_MS = 2_000;
/** No single call lasts longer, so that the connection can be closed soon after the end. */
const CALL_MS = 5_000;
const LONG_POLL_MS = 10_000;
/** A Temporal that does not answer for this long is not waited for. */
const OUTAGE_MS = 60_000;
/** Once in so many looks the server is asked whether workers are still there. */
const LOOKS_PER_POLL = 5;

/** The server ends what nobody waits for any more. */
const TIMEOUTS = { preflight: '15m', plan: '12h', search: '5m', inspect: '5m' } as const;

/** Temporal would keep these answers, which hold content of rows, for as long as its retention. */
const KEEPS_NO_HISTORY: readonly Inquiry[] = ['search', 'inspect'];

/**
 * Asks a worker: executes the workflow `<inquiry>-<name>-<uuid>`, without the name if payloads are encrypted. After an answer that holds content of rows Temporal is
 * asked to delete the execution; the server does it some minutes later, and not if it is out just then.
 *
 * @param name of the job that the question is about
 * @throws InputError if no worker polls, or the question is malformed
 * @throws InquiryError if it is not answered: under the fault's code, or because workers are gone or too old
 */
export async function inquireOnWorker<Name extends Inquiry>(
  client: Client,
  inquiry: Name,
  name: string,
  question: Question<Name>,
  asking: Asking = {},
): Promise<Answer<Name>> {
  if (await isDeserted(client)) {
    // A worker that has just started is known to the server a moment later.
    await sleep(STARTING_MS);
    if (await isDeserted(client)) throw new InputError([nobodyPolls(client)]);
  }
  const handle = await client.workflow.start(inquiry, {
    // Ids cannot be encrypted, and a job's name is as a rule made of its table's and collection's.
    workflowId: isEncrypting(client) ? `${inquiry}-${randomUUID()}` : `${inquiry}-${name}-${randomUUID()}`,
    taskQueue: TASK_QUEUE,
    args: [question],
    workflowExecutionTimeout: TIMEOUTS[inquiry],
    staticSummary: `${inquiry} for ${name}`,
  });
  const done = new AbortController();
  const end = AbortSignal.any([done.signal, ...(asking.signal === undefined ? [] : [asking.signal])]);
  const isInterrupted = (): boolean => asking.signal?.aborted === true;
  const answered = answerOf(client, handle, end) as Promise<Answer<Name>>;
  const watched = watch(client, inquiry, handle, asking, end);
  try {
    return await Promise.race([answered, watched]);
  } catch (error) {
    // Where nobody is there to hear of a cancellation, the server alone has to end it.
    if (isInterrupted()) await briefly(client, () => handle.cancel());
    else if (error instanceof InquiryError) await briefly(client, () => handle.terminate(error.message));
    throw isInterrupted() ? interrupted() : asInquiryError(error);
  } finally {
    done.abort();
    await Promise.allSettled([answered, watched]);
    if (KEEPS_NO_HISTORY.includes(inquiry)) await forget(client, handle.workflowId);
  }
}

/** Waits for the result, however long it takes. */
async function answerOf(client: Client, handle: WorkflowHandle, end: AbortSignal): Promise<unknown> {
  for (;;) {
    try {
      return await cancellable(client, end, LONG_POLL_MS, () => handle.result());
    } catch (error) {
      if (end.aborted || !isGrpcDeadlineError(error)) throw error;
    }
  }
}

/** A last request that may fail: the server ends by itself what it does not hear about. */
async function briefly(client: Client, request: () => Promise<unknown>): Promise<void> {
  await client.withDeadline(Date.now() + CALL_MS, request).catch(() => undefined);
}

/** Never resolves: rejects when the question is withdrawn, or when nobody is there any more who could answer it. */
async function watch(
  client: Client,
  inquiry: Inquiry,
  handle: WorkflowHandle,
  { onWait }: Asking,
  end: AbortSignal,
): Promise<never> {
  const begin = Date.now();
  let seenAt = begin;
  let told: string | null = null;
  for (let looks = 1; ; looks++) {
    await sleep(LOOK_INTERVAL_MS, undefined, { signal: end });
    const found = await cancellable(client, end, CALL_MS, () => look(client, handle)).catch(
      (error: unknown) => {
        // Temporal may be out for a moment; the question is not lost by that.
        if (Date.now() - seenAt < OUTAGE_MS) return null;
        throw error;
      },
    );
    if (found === null) continue;
    seenAt = Date.now();
    if (found.isClosed) continue;
    if (found.isRefused && Date.now() - begin > UNKNOWN_AFTER_MS) {
      throw new InquiryError(
        'unknown_inquiry',
        `The workers do not know \`${inquiry}\`: they are of an older release. Update them, or add --local to ask from this machine.`,
      );
    }
    if (looks % LOOKS_PER_POLL === 0 && (await isDeserted(client))) {
      throw new InquiryError('no_worker', nobodyPolls(client));
    }
    const waiting = found.isQueued && looks > LOOKS_PER_POLL ? 'free_slot' : found.waiting;
    if (waiting !== told) onWait?.(waiting);
    told = waiting;
  }
}

/** As the server's interface numbers it. */
const PendingActivityState = { SCHEDULED: 1 } as const;

/** What the server knows of an open inquiry. */
async function look(
  client: Client,
  handle: WorkflowHandle,
): Promise<{ isClosed: boolean; isRefused: boolean; isQueued: boolean; waiting: string | null }> {
  const { raw, status } = await handle.describe();
  await opened(client, raw.pendingActivities);
  const activity = raw.pendingActivities?.[0];
  const payload = activity?.heartbeatDetails?.payloads?.[0];
  const heartbeat = payload == null ? null : defaultPayloadConverter.fromPayload<BatchHeartbeat>(payload);
  return {
    isClosed: status.name !== 'RUNNING',
    // A workflow that the bundle lacks, and an activity that is not registered, are tried again and again.
    isRefused:
      activity === undefined
        ? (raw.pendingWorkflowTask?.attempt ?? 0) > 1
        : activity.lastFailure?.applicationFailureInfo?.type === 'NotFoundError',
    isQueued: Number(activity?.state) === PendingActivityState.SCHEDULED && activity?.attempt === 1,
    waiting: heartbeat?.waiting?.reason ?? null,
  };
}

/** False also where the server does not say. */
async function isDeserted(client: Client): Promise<boolean> {
  return (await pollers(client))?.length === 0;
}

async function forget(client: Client, workflowId: string): Promise<void> {
  const { namespace } = client.options;
  await briefly(client, () =>
    client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } }),
  );
}

function nobodyPolls(client: Client): string {
  return `No worker polls ${TASK_QUEUE} in the namespace ${client.options.namespace}; start one with \`ferry worker\`, or add --local to ask from this machine.`;
}
