import { ActivityFailure, ApplicationFailure, isCancellation, sleep } from '@temporalio/workflow';
import { FAULTS, isFaultCode } from '../errors.ts';
import type { HaltingFault } from '../job/job.ts';

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;

/**
 * Runs an activity, repeated at most `maxRetries` times after faults that no adapter could explain. Temporal itself
 * repeats it without limit after lost workers, so these are counted here.
 *
 * @returns the activity's result and how often it was run, or the fault at which the job has to pause
 * @throws the last failure when the repeats are used up; a cancellation at once
 */
export async function runActivity<T>(
  maxRetries: number,
  activity: () => Promise<T>,
): Promise<{ result: T; runs: number } | { halted: HaltingFault }> {
  for (let runs = 1; ; runs++) {
    try {
      return { result: await activity(), runs };
    } catch (error) {
      if (isCancellation(error)) throw error;
      const halted = haltingFault(error);
      if (halted !== null) return { halted };
      if (runs > maxRetries) throw error;
      await sleep(Math.min(FIRST_DELAY_MS * 2 ** (runs - 1), LONGEST_DELAY_MS));
    }
  }
}

function haltingFault(error: unknown): HaltingFault | null {
  if (!(error instanceof ActivityFailure) || !(error.cause instanceof ApplicationFailure)) return null;
  const { type, message } = error.cause;
  return isFaultCode(type) && FAULTS[type].kind === 'halting' ? { code: type, message } : null;
}
