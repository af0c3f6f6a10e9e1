import type { SizeBucket } from '../job/inquiry.ts';
import { sizeClass } from './sizes.ts';

/** What became of one record's content when it was read and chunked. */
export interface SampledRecord {
  /** Size of its content in the source. */
  readonly bytes: number;
  /** It has no content. */
  readonly isSkipped: boolean;
  /** It fails before it is embedded. */
  readonly isRefused: boolean;
  readonly parents: number;
  readonly children: number;
  /** cl100k_base tokens of its children, as they are billed. */
  readonly tokens: number;
  /** UTF-8 bytes of the texts of its parents and its children. */
  readonly textBytes: number;
}

/** What the table's records come to. */
export interface Estimate {
  readonly skipped: number;
  readonly refused: number;
  readonly parents: number;
  readonly children: number;
  readonly tokens: number;
  readonly textBytes: number;
}

/**
 * Concludes from a sample to the whole, for each size class of its own: what the sample has per byte, times the bytes
 * of the class. So the few large records that hold most of the bytes are no matter of luck, as long as their sizes are
 * known. Exact if every record was read.
 *
 * @param buckets of all records
 * @param sample at least one record, or the estimate is of nothing
 */
export function estimate(buckets: readonly SizeBucket[], sample: readonly SampledRecord[]): Estimate {
  const byClass = Map.groupBy(sample, ({ bytes }) => sizeClass(bytes));
  const sum = { skipped: 0, refused: 0, parents: 0, children: 0, tokens: 0, textBytes: 0 };
  for (const { fromBytes, records, bytes } of buckets) {
    const own = fromBytes === 0 ? (byClass.get(0) ?? []) : nearestSample(byClass, fromBytes);
    if (fromBytes === 0 && own.length === 0) sum.skipped += records;
    if (own.length === 0) continue;
    const ownBytes = own.reduce((total, record) => total + record.bytes, 0);
    const perRecord = records / own.length;
    // Where there are no bytes to go by, a record is as good as another.
    const perByte = ownBytes === 0 ? perRecord : bytes / ownBytes;
    for (const record of own) {
      if (record.isSkipped) sum.skipped += perRecord;
      if (record.isRefused) sum.refused += perRecord;
      sum.parents += record.parents * perByte;
      sum.children += record.children * perByte;
      sum.tokens += record.tokens * perByte;
      sum.textBytes += record.textBytes * perByte;
    }
  }
  return {
    skipped: Math.round(sum.skipped),
    refused: Math.round(sum.refused),
    parents: Math.round(sum.parents),
    children: Math.round(sum.children),
    tokens: Math.round(sum.tokens),
    textBytes: Math.round(sum.textBytes),
  };
}

/** The sample of a class, or of the one nearest to it that has any. */
function nearestSample(
  byClass: ReadonlyMap<number, readonly SampledRecord[]>,
  fromBytes: number,
): readonly SampledRecord[] {
  const distance = (other: number): number => Math.abs(Math.log2(other / fromBytes));
  const [nearest] = [...byClass.keys()]
    .filter((other) => other > 0)
    .sort((a, b) => distance(a) - distance(b));
  return nearest === undefined ? [] : (byClass.get(nearest) ?? []);
}
