import type { Preparation } from '../job/job.ts';
import type { JobSpecification } from '../job/specification.ts';
import { persist } from '../reconcile/patience.ts';
import type { Target } from '../target/target.ts';
import { runAttempt } from './attempt.ts';

/** Makes the collection ready and resolves its alias, once a job. */
export async function prepareTarget(
  target: Target,
  hasLedger: boolean,
  { specification }: { specification: JobSpecification },
): Promise<Preparation> {
  return runAttempt(specification, async (attempt) => {
    const prepared = await persist(attempt, () => target.prepare(specification.collection, attempt.signal));
    return { ...prepared, hasLedger };
  });
}
