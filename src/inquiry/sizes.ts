import type { SizeBucket } from '../job/inquiry.ts';

/** Content above this many bytes, as stored, is refused (MAX_CONTENT_BYTES of the source; a test compares them). */
export const LARGEST_CONTENT_BYTES = 16 * 1024 * 1024;

/** A record of the table, the size of its content, and how many records of the table it stands for. */
export interface WeightedSize {
  readonly id: bigint;
  /** Bytes, as stored; null without content. */
  readonly bytes: number | null;
  /** 1 if every record was looked at. */
  readonly weight: number;
}

/** @returns the lower bound of a size's class: 0, or the largest power of two up to it */
export function sizeClass(bytes: number | null): number {
  return bytes === null || bytes < 1 ? 0 : 2 ** Math.floor(Math.log2(bytes));
}

/**
 * How many records there are of each size.
 *
 * @returns ascending, without empty buckets; whole numbers if every weight is 1
 */
export function sizeBuckets(sizes: readonly WeightedSize[]): SizeBucket[] {
  const buckets = new Map<number, { records: number; bytes: number }>();
  for (const { bytes, weight } of sizes) {
    const fromBytes = sizeClass(bytes);
    const bucket = buckets.get(fromBytes) ?? { records: 0, bytes: 0 };
    bucket.records += weight;
    bucket.bytes += (bytes ?? 0) * weight;
    buckets.set(fromBytes, bucket);
  }
  return [...buckets]
    .sort(([a], [b]) => a - b)
    .map(([fromBytes, { records, bytes }]) => ({ fromBytes, records, bytes }));
}
