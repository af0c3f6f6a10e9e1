import type { JobSpecification } from '../job/specification.ts';
import type { JobPlan } from '../planning/job-plan.ts';
import { planBatches } from '../planning/plan.ts';
import { addDryRuns, dryRun, EMPTY_DRY_RUN, type DryRunResult } from '../reconcile/dry-run.ts';
import { persist, type Attempt } from '../reconcile/patience.ts';
import type { ReconcileServices } from '../reconcile/reconcile.ts';
import { scanIds } from '../reconcile/scan-ids.ts';
import type { Target } from '../target/target.ts';

/** What a job finds where there is no collection yet. */
const NO_POINTS: Pick<Target, 'scan' | 'texts'> = {
  scan: async () => ({ heads: [], next: null }),
  texts: async () => new Map(),
};

/** Compares every batch of a plan with the target, in the ranges that the job would give them. */
export async function compareEverything(
  { source, target, embedder }: ReconcileServices,
  specification: JobSpecification,
  { partitions }: JobPlan,
  attempt: Attempt,
): Promise<DryRunResult> {
  const { table, collection, chunking, prune } = specification;
  const reading = AbortSignal.any([attempt.signal, attempt.stop]);
  const found = await persist(attempt, () => target.find(collection, reading));
  const shared = {
    owner: { collection: found.collection ?? collection.name, source: specification.source },
    table,
    chunking,
    model: { model: collection.model, dimensions: collection.dimensions },
    prune,
  };
  const compared = { source, embedder, target: found.collection === null ? NO_POINTS : target };
  let sum = EMPTY_DRY_RUN;
  for (const partition of partitions) {
    const range = { after: BigInt(partition.after), upTo: BigInt(partition.upTo) };
    const ids: bigint[] = [];
    for await (const page of scanIds(source, table, range, attempt, null)) ids.push(...page);
    for (const { after, upTo, pointsUpTo } of planBatches(partition, ids)) {
      const batch = { range: { after: BigInt(after), upTo: BigInt(upTo) }, pointsUpTo: BigInt(pointsUpTo) };
      sum = addDryRuns(sum, await dryRun({ ...shared, ...batch }, compared, attempt));
    }
  }
  return sum;
}
