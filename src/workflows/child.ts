import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { sleep } from '@temporalio/workflow';

const PAUSE_MS = 2_000;
const TRIES = 60;

/**
 * Starts a child workflow. Its id may still be taken: a run that was terminated ends its children after itself, and the
 * next run may have begun by then.
 *
 * @throws WorkflowExecutionAlreadyStartedError if the id is still taken after two minutes
 */
export async function whenFree<T>(start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError) || tries === TRIES) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
