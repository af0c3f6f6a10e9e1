import type { Client } from '@temporalio/client';
import { TASK_QUEUE } from '../job/job.ts';

/** A worker, as the server has seen it last. */
export interface Poller {
  readonly identity: string;
  /** ISO 8601. A live worker polls at least once a minute. */
  readonly polledAt: string;
}

/** A long poll lasts a minute; a worker that has not polled for longer is gone. */
const POLL_INTERVAL_SECONDS = 70;

/** As the server's interface numbers it. */
const TaskQueueType = { WORKFLOW: 1 } as const;

/** Workers that have polled within the last 70 s, newest first; null if the server does not say within 3 s. */
export async function pollers(client: Client): Promise<Poller[] | null> {
  return within(client, 3_000, async () => {
    const answer = await client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: TASK_QUEUE },
      taskQueueType: TaskQueueType.WORKFLOW,
    });
    // The server remembers pollers for five minutes.
    const oldest = Date.now() / 1_000 - POLL_INTERVAL_SECONDS;
    return (answer.pollers ?? [])
      .map(({ identity, lastAccessTime }) => ({
        identity: identity ?? 'unknown',
        seconds: Number(lastAccessTime?.seconds ?? 0),
      }))
      .filter(({ seconds }) => seconds > oldest)
      .sort((a, b) => b.seconds - a.seconds)
      .map(({ identity, seconds }) => ({ identity, polledAt: new Date(seconds * 1_000).toISOString() }));
  });
}

/** The call's answer, or null if it fails or takes longer. */
export async function within<T>(
  client: Client,
  timeoutMs: number,
  call: () => Promise<T>,
): Promise<T | null> {
  try {
    return await client.withDeadline(Date.now() + timeoutMs, call);
  } catch {
    return null;
  }
}
