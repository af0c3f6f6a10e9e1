/**
 * The real root with fake partitions, to measure its own history: each is open for a moment and reports what a real
 * one reports.
 */
import { getExternalWorkflowHandle, sleep, workflowInfo } from '@temporalio/workflow';
import { drained } from '../../src/job/messages.ts';
import { NO_TOTALS, type Totals } from '../../src/job/outcome.ts';
import type { PartitionInput } from '../../src/workflows/partition.ts';

export { migration } from '../../src/workflows/migration.ts';

export async function partition({ partition: plan }: PartitionInput): Promise<Totals> {
  await sleep(20);
  const root = workflowInfo().parent?.workflowId ?? '';
  await getExternalWorkflowHandle(root).signal(drained, { partition: plan.index });
  await sleep(20);
  return { ...NO_TOTALS, completedBatches: plan.batches, records: plan.records };
}
