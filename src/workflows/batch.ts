import { ActivityFailure, ApplicationFailure, isCancellation, proxyActivities } from '@temporalio/workflow';
import { ATTEMPT_ENDS } from '../errors.ts';
import type { Activities, BatchEnd, BatchInput } from '../job/job.ts';
import { runActivity } from './activity.ts';
import { workOptions } from './options.ts';

/**
 * One batch: one activity, reconcileBatch, repeated at most `maxRetries` times after faults that no adapter could
 * explain. A workflow of its own so that an operator sees, finds, resets and cancels it in the Temporal UI.
 *
 * @returns the result, or the code of a fault at which the job has to pause
 * @throws ApplicationFailure of type BatchFailed, non-retryable
 */
export async function batch(input: BatchInput): Promise<BatchEnd> {
  const { specification } = input.job;
  const { reconcileBatch } = proxyActivities<Activities>(workOptions(specification));
  try {
    const end = await runActivity(specification.maxRetries, () => reconcileBatch(input));
    if ('halted' in end) return end;
    return { ...end.result, attempts: end.result.attempts + end.runs - 1 };
  } catch (error) {
    if (isCancellation(error)) throw error;
    const reason = error instanceof ActivityFailure ? error.cause?.message : String(error);
    throw ApplicationFailure.nonRetryable(
      `Batch ${input.batch} failed ${specification.maxRetries + 1} times, the last time with: ${reason}`,
      ATTEMPT_ENDS.batchFailed,
    );
  }
}
