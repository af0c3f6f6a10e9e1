import { BELOW_ALL_IDS } from '../planning/plan.ts';
import type { ContentSize, IdRange, Source, TableSpec } from '../source/source.ts';
import type { WeightedSize } from './sizes.ts';

/** Sizes of one query. */
const SIZES_PER_PAGE = 1_000;

/** A part of the table that a sample looks into. */
export interface Stratum {
  readonly range: IdRange;
  /** Records that it holds; null if nobody knows, and every stratum counts by what was found in it. */
  readonly records: number | null;
}

/** A size that was looked at. */
export interface SampledSize extends WeightedSize {
  /** Number of the stratum that it comes from: within one, sizes that follow each other are neighbours in the table. */
  readonly stratum: number;
}

/**
 * Cuts what a job plans into parts of equally many batches.
 *
 * @param ends last id of every batch, ascending
 * @returns at most `count`, tiling the plan
 */
export function strataOfPlan(
  { ends, records }: { readonly ends: readonly bigint[]; readonly records: number },
  batchSize: number,
  count: number,
): Stratum[] {
  const strata = Math.min(count, ends.length);
  return Array.from({ length: strata }, (_, k) => {
    const first = Math.floor((k * ends.length) / strata);
    const next = Math.floor(((k + 1) * ends.length) / strata);
    const after = first === 0 ? BELOW_ALL_IDS : (ends[first - 1] as bigint);
    const last = next === ends.length ? records : next * batchSize;
    return { range: { after, upTo: ends[next - 1] as bigint }, records: last - first * batchSize };
  });
}

/**
 * Cuts the ids from smallest to largest into equal parts, for a table whose ids nobody has read yet.
 *
 * @returns at most `count`, tiling the ids
 */
export function strataOfIds(smallest: bigint, largest: bigint, count: number): Stratum[] {
  const span = largest - smallest + 1n;
  const strata = span < BigInt(count) ? span : BigInt(count);
  return Array.from({ length: Number(strata) }, (_, k) => ({
    range: {
      after: smallest - 1n + (BigInt(k) * span) / strata,
      upTo: smallest - 1n + (BigInt(k + 1) * span) / strata,
    },
    records: null,
  }));
}

/**
 * Reads the sizes of the first records of every stratum.
 *
 * @param options.perStratum most sizes a stratum
 * @param options.records of all strata together, for those that do not know their own
 * @param read makes one call; repeats it, or gives up
 */
export async function sampleSizes(
  source: Pick<Source, 'sizes'>,
  table: TableSpec,
  strata: readonly Stratum[],
  { perStratum, records }: { perStratum: number; records: number },
  read: <T>(call: (signal: AbortSignal) => Promise<T>) => Promise<T>,
): Promise<SampledSize[]> {
  const found: ContentSize[][] = [];
  for (const { range } of strata) found.push(await firstSizes(source, table, range, perStratum, read));
  const total = found.reduce((sum, sizes) => sum + sizes.length, 0);
  return found.flatMap((sizes, stratum) => {
    const own = strata[stratum]?.records ?? (sizes.length * records) / Math.max(1, total);
    return sizes.map(({ id, bytes }) => ({ id, bytes, stratum, weight: own / sizes.length }));
  });
}

async function firstSizes(
  source: Pick<Source, 'sizes'>,
  table: TableSpec,
  range: IdRange,
  count: number,
  read: <T>(call: (signal: AbortSignal) => Promise<T>) => Promise<T>,
): Promise<ContentSize[]> {
  const sizes: ContentSize[] = [];
  let { after } = range;
  while (sizes.length < count && after < range.upTo) {
    const limit = Math.min(SIZES_PER_PAGE, count - sizes.length);
    const rest = { after, upTo: range.upTo };
    const page = await read((signal) => source.sizes(table, rest, limit, signal));
    sizes.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < limit) break;
    after = last.id;
  }
  return sizes;
}
