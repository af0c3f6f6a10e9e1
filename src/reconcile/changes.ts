import { setImmediate as yieldNow } from 'node:timers/promises';
import { chunk, type ChunkingOptions } from '../chunking/chunker.ts';
import type { PointOwner, Target } from '../target/target.ts';
import type { ComparedRecord } from './compare.ts';
import { changesOf, desiredPoints, reusableVectors, type RecordChange } from './diff.ts';
import { persist, type Attempt } from './patience.ts';

/** What makes a record exact, and what of it need not be paid. */
export interface FoundChange {
  readonly change: RecordChange;
  /** Ids of the record's own points to take vectors from, by text. */
  readonly reusable: ReadonlyMap<string, string>;
}

/**
 * Finds what makes records exact: reads the texts of their points, chunks their content and compares. Nothing is
 * written.
 *
 * @param records that are not exact, as {@link isExact} says
 */
export async function findChanges(
  records: readonly ComparedRecord[],
  { owner, chunking }: { readonly owner: PointOwner; readonly chunking: ChunkingOptions },
  target: Pick<Target, 'texts'>,
  attempt: Attempt,
  reading: AbortSignal,
): Promise<FoundChange[]> {
  const existing = records.flatMap(({ heads }) => heads.map(({ id }) => id));
  const texts: ReadonlyMap<string, string> =
    existing.length === 0
      ? new Map<string, string>()
      : await persist(attempt, () => target.texts(owner.collection, existing, reading));
  const found: FoundChange[] = [];
  for (const { row, expected, heads } of records) {
    const parents = expected.checksum === null ? [] : await chunk(row.content ?? '', chunking, yieldNow);
    attempt.progressed();
    attempt.stop.throwIfAborted();
    const change = changesOf(row.id, desiredPoints(owner.source, expected, parents), heads, texts);
    found.push({ change, reusable: reusableVectors(change, heads, texts) });
  }
  return found;
}

/** The texts whose vectors a change needs, in order. */
export function textsOf(change: RecordChange): string[] {
  return change.writes.flatMap(({ vectorOf }) => (vectorOf === null ? [] : [vectorOf]));
}
