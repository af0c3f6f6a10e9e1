import { Context } from '@temporalio/activity';
import type { BatchPlan, PartitionPlan } from '../job/job.ts';
import type { JobSpecification } from '../job/specification.ts';
import * as plan from '../planning/plan.ts';
import { persist, type Attempt } from '../reconcile/patience.ts';
import type { IdRange, Source, TableSpec } from '../source/source.ts';
import { runAttempt } from './attempt.ts';

/** Ids of a keyset page; a page of ids is one short query. */
const IDS_PER_PAGE = 10_000;

/** Plans a job: one keyset scan of the filtered table's ids, cut into partitions of whole batches. */
export async function planPartitions(
  source: Source,
  { specification }: { specification: JobSpecification },
): Promise<PartitionPlan[]> {
  const { table, limit, batchSize, concurrency, prune } = specification;
  return runAttempt(specification, async (attempt) => {
    const ends = new plan.BatchEnds(batchSize);
    const everything = { after: plan.BELOW_ALL_IDS, upTo: plan.LARGEST_ID };
    for await (const ids of scanIds(source, table, everything, attempt, limit)) ends.add(ids);
    Context.current().log.info('Planned', { records: ends.records, batches: ends.ends.length });
    return plan.planPartitions(
      { ends: ends.ends, records: ends.records, batchSize },
      { concurrency, prune, wholeTable: limit === null },
    );
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

/** The ids of a range, ascending, page by page, at most `limit`. */
async function* scanIds(
  source: Source,
  table: TableSpec,
  range: IdRange,
  attempt: Attempt,
  limit: number | null,
): AsyncGenerator<bigint[]> {
  let { after } = range;
  const reading = AbortSignal.any([attempt.signal, attempt.stop]);
  let left = limit ?? Infinity;
  while (left > 0 && after < range.upTo) {
    const rest = { after, upTo: range.upTo };
    const count = Math.min(left, IDS_PER_PAGE);
    const ids = await persist(attempt, () => source.ids(table, rest, count, reading));
    attempt.stop.throwIfAborted();
    yield ids;
    const last = ids.at(-1);
    if (last === undefined || ids.length < count) return;
    after = last;
    left -= ids.length;
  }
}
