import type { Lab } from './lab.ts';

/** PENDING_ACTIVITY_STATE_STARTED in Temporal's interface. */
const STARTED = 2;

/** The pid of a worker that holds a batch at this moment, as the server sees it. */
export async function holderOfBatch(lab: Lab): Promise<number | undefined> {
  for (const id of (await lab.snapshot()).batchesInHand) {
    // A batch is announced a moment before it begins.
    const description = await lab.client.workflow
      .getHandle(id)
      .describe()
      .catch(() => null);
    const [activity] = description?.raw.pendingActivities ?? [];
    // Started, that is, and not waiting for its next attempt.
    if (Number(activity?.state) === STARTED) return Number(activity?.lastWorkerIdentity?.split('@')[0]);
  }
  return undefined;
}
