import { Context } from '@temporalio/activity';
import type { BatchPlan, PartitionPlan } from '../job/job.ts';
import type { JobSpecification } from '../job/specification.ts';
import { ALL_IDS, planJob } from '../planning/job-plan.ts';
import * as plan from '../planning/plan.ts';
import { scanIds } from '../reconcile/scan-ids.ts';
import type { Source } from '../source/source.ts';
import { runAttempt } from './attempt.ts';

/** Plans a job: one keyset scan of the filtered table's ids, cut into partitions of whole batches. */
export async function planPartitions(
  source: Source,
  { specification }: { specification: JobSpecification },
): Promise<PartitionPlan[]> {
  const { table, limit } = specification;
  return runAttempt(specification, async (attempt) => {
    const { partitions, records, ends } = await planJob(
      scanIds(source, table, ALL_IDS, attempt, limit),
      specification,
    );
    Context.current().log.info('Planned', { records, batches: ends.length });
    return [...partitions];
  });
}

/** Plans the batches of one partition from the ids that its range holds now. */
export async function planBatches(
  source: Source,
  { specification, partition }: { specification: JobSpecification; partition: PartitionPlan },
): Promise<BatchPlan[]> {
  return runAttempt(specification, async (attempt) => {
    const range = { after: BigInt(partition.after), upTo: BigInt(partition.upTo) };
    const ids: bigint[] = [];
    for await (const page of scanIds(source, specification.table, range, attempt, null)) ids.push(...page);
    return plan.planBatches(partition, ids);
  });
}
