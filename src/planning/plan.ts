import type { BatchPlan, PartitionPlan } from '../job/job.ts';

/** Before the smallest 64-bit integer, so that a range (after, upTo] that begins here leaves no id out. */
export const BELOW_ALL_IDS = -(2n ** 63n) - 1n;
export const LARGEST_ID = 2n ** 63n - 1n;

/** Most partitions of a job: each costs the root up to a dozen events. */
const MAX_PARTITIONS = 500;
/** Fewest partitions a slot, so that slots stay busy to the end although partitions differ in work. */
const PARTITIONS_PER_SLOT = 16;
/** Batches of a partition in a large job, where the two bounds above leave a choice. */
const BATCHES_PER_PARTITION = 128;

/**
 * Gathers what a plan needs of a keyset scan in one pass: the last id of every batch. One number a batch is kept, so
 * a hundred million ids fit.
 */
export class BatchEnds {
  readonly #batchSize: number;
  readonly #ends: bigint[] = [];
  #records = 0;
  #last: bigint | null = null;

  constructor(batchSize: number) {
    this.#batchSize = batchSize;
  }

  /** @param ids the scan's next ids, ascending */
  add(ids: readonly bigint[]): void {
    for (const id of ids) {
      this.#records++;
      this.#last = id;
      if (this.#records % this.#batchSize === 0) this.#ends.push(id);
    }
  }

  get records(): number {
    return this.#records;
  }

  /** The last id of every batch, ascending; the last batch may be short. */
  get ends(): readonly bigint[] {
    const short = this.#last !== null && this.#records % this.#batchSize !== 0;
    return short && this.#last !== null ? [...this.#ends, this.#last] : this.#ends;
  }
}

/**
 * Cuts a job's batches into partitions. Their ranges tile: each begins where the one before ends, the first has no
 * lower bound. Rows above the last id belong to the next run.
 *
 * @param scan the finished scan
 * @param options.wholeTable whether the scan was not ended by a limit; with prune the last range then reaches to the
 *   largest id for points, so that points of deleted rows at the end of the table are found
 * @returns in order; empty if there is nothing to do
 */
export function planPartitions(
  scan: { readonly ends: readonly bigint[]; readonly records: number; readonly batchSize: number },
  options: { concurrency: number; prune: boolean; wholeTable: boolean },
): PartitionPlan[] {
  const { ends, records, batchSize } = scan;
  const toTheEnd = options.prune && options.wholeTable;
  if (ends.length === 0) {
    // No rows: there may still be points of rows that were deleted.
    if (!toTheEnd) return [];
    const nothing = String(BELOW_ALL_IDS);
    return [
      {
        index: 0,
        after: nothing,
        upTo: nothing,
        pointsUpTo: String(LARGEST_ID),
        firstBatch: 0,
        batches: 1,
        records: 0,
      },
    ];
  }
  const wanted = Math.max(
    PARTITIONS_PER_SLOT * options.concurrency,
    Math.ceil(ends.length / BATCHES_PER_PARTITION),
  );
  const count = Math.min(ends.length, wanted, MAX_PARTITIONS);
  return Array.from({ length: count }, (_, index) => {
    const first = Math.floor((index * ends.length) / count);
    const next = Math.floor(((index + 1) * ends.length) / count);
    const after = first === 0 ? BELOW_ALL_IDS : (ends[first - 1] as bigint);
    const upTo = ends[next - 1] as bigint;
    const isLast = next === ends.length;
    return {
      index,
      after: String(after),
      upTo: String(upTo),
      pointsUpTo: String(isLast && toTheEnd ? LARGEST_ID : upTo),
      firstBatch: first,
      batches: next - first,
      records: isLast ? records - first * batchSize : (next - first) * batchSize,
    };
  });
}

/**
 * Cuts a partition into exactly the number of batches that the job's plan gave it, so that batch numbers stay dense
 * although rows came or went since. Ranges tile the partition's.
 *
 * @param ids the partition's ids as they are now, ascending
 * @returns `partition.batches` plans in order; some are empty if ids went away
 */
export function planBatches(partition: PartitionPlan, ids: readonly bigint[]): BatchPlan[] {
  const { batches } = partition;
  let after = partition.after;
  return Array.from({ length: batches }, (_, index) => {
    const isLast = index === batches - 1;
    const next = Math.floor(((index + 1) * ids.length) / batches);
    const upTo = isLast ? partition.upTo : next === 0 ? after : String(ids[next - 1]);
    const plan = { after, upTo, pointsUpTo: isLast ? partition.pointsUpTo : upTo };
    after = upTo;
    return plan;
  });
}
