import type { PartitionPlan } from '../job/job.ts';
import type { JobSpecification } from '../job/specification.ts';
import type { IdRange } from '../source/source.ts';
import { BatchEnds, BELOW_ALL_IDS, LARGEST_ID, planPartitions } from './plan.ts';

/** What a job plans over: every id there can be. */
export const ALL_IDS: IdRange = { after: BELOW_ALL_IDS, upTo: LARGEST_ID };

/** The plan of a job. */
export interface JobPlan {
  readonly partitions: readonly PartitionPlan[];
  readonly records: number;
  /** The last id of every batch, ascending. */
  readonly ends: readonly bigint[];
}

/**
 * Plans a job from one keyset scan; a job and an inquiry about it plan in the same way.
 *
 * @param pages of ids, ascending, at most as many as the job's limit
 */
export async function planJob(
  pages: AsyncIterable<readonly bigint[]>,
  { batchSize, concurrency, prune, limit }: JobSpecification,
): Promise<JobPlan> {
  const scan = new BatchEnds(batchSize);
  for await (const ids of pages) scan.add(ids);
  const { ends, records } = scan;
  const partitions = planPartitions(
    { ends, records, batchSize },
    { concurrency, prune, wholeTable: limit === null },
  );
  return { partitions, records, ends };
}
