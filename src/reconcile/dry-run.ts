import { setImmediate as yieldNow } from 'node:timers/promises';
import { countTokens } from '../chunking/tokens.ts';
import type { Embedder } from '../embedding/embedder.ts';
import type { Target } from '../target/target.ts';
import { findChanges, textsOf } from './changes.ts';
import { compareRange, type ComparedRecord, type ComparedServices, type Comparison } from './compare.ts';
import { isExact } from './diff.ts';
import type { Attempt } from './patience.ts';

/** The range of a dry run, and whether the run would prune. */
export interface DryRunInput extends Comparison {
  readonly prune: boolean;
}

/** What a dry run looks at; it neither writes nor embeds. */
export interface DryRunServices extends ComparedServices {
  readonly target: Pick<Target, 'scan' | 'texts'>;
  readonly embedder: Pick<Embedder, 'pack'>;
}

/** What {@link reconcile} would find and do. */
export interface DryRunResult {
  /** changed + unchanged + skipped + refused */
  readonly records: number;
  readonly changed: number;
  readonly unchanged: number;
  /** Records without content. */
  readonly skipped: number;
  /** Records that fail before they are embedded. */
  readonly refused: number;
  readonly orphans: number;
  readonly pointsWritten: number;
  readonly pointsDeleted: number;
  /** Points of the range's records afterwards, by type. */
  readonly parents: number;
  readonly children: number;
  /**
   * Texts to embed and their cl100k_base tokens: without those whose vectors the target has, and before identical ones
   * of a page are merged, which a run embeds once.
   */
  readonly inputs: number;
  readonly tokens: number;
  /** Embedding requests, after identical texts are merged. */
  readonly requests: number;
}

/**
 * Does all of a reconciliation that costs nothing: reads, compares and chunks, and counts what would be embedded,
 * written and deleted. The counts are those of an undisturbed run in which the service refuses no text.
 *
 * @throws Fault as {@link reconcile} does
 */
export async function dryRun(
  input: DryRunInput,
  services: DryRunServices,
  attempt: Attempt,
): Promise<DryRunResult> {
  const reading = AbortSignal.any([attempt.signal, attempt.stop]);
  const count = { ...NOTHING };
  const orphans = new Set<bigint>();
  await compareRange(input, services, attempt, reading, {
    orphans: async (heads) => {
      for (const { recordId } of heads) orphans.add(recordId);
      if (input.prune) count.pointsDeleted += heads.length;
    },
    records: async (records) => {
      const inexact = records.filter((record) => !countSettled(record, count));
      if (inexact.length === 0) return;
      const unpaid = new Set<string>();
      const found = await findChanges(inexact, input, services.target, attempt, reading);
      // As in a run, a vector that one record of the page has serves for the same text of another.
      const reusable = new Set(found.flatMap((record) => [...record.reusable.keys()]));
      for (const { change } of found) {
        for (const { point } of change.writes) count[point.type === 'parent' ? 'parents' : 'children']++;
        count.pointsWritten += change.writes.length;
        count.pointsDeleted += change.stale.length;
        const inputs = textsOf(change).filter((text) => !reusable.has(text));
        count.inputs += inputs.length;
        for (const text of inputs) {
          count.tokens += countTokens(text);
          unpaid.add(text);
        }
        await yieldNow();
      }
      count.requests += services.embedder.pack([...unpaid]).length;
    },
  });
  return { ...count, orphans: orphans.size };
}

const NOTHING = {
  records: 0,
  changed: 0,
  unchanged: 0,
  skipped: 0,
  refused: 0,
  pointsWritten: 0,
  pointsDeleted: 0,
  parents: 0,
  children: 0,
  inputs: 0,
  tokens: 0,
  requests: 0,
};

/** @returns whether the record's points stay as they are */
function countSettled({ row, expected, heads }: ComparedRecord, count: typeof NOTHING): boolean {
  const isSettled = row.refused !== null || isExact(expected, heads);
  count.records++;
  if (row.refused !== null) count.refused++;
  else if (expected.checksum === null) count.skipped++;
  else if (isSettled) count.unchanged++;
  else count.changed++;
  if (isSettled) {
    for (const { type } of heads) count[type === 'parent' ? 'parents' : 'children']++;
  }
  return isSettled;
}

/** @returns the sum of the dry runs of ranges that share no record */
export function addDryRuns(a: DryRunResult, b: DryRunResult): DryRunResult {
  const names = Object.keys(a) as (keyof DryRunResult)[];
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as DryRunResult;
}

/** A dry run of nothing, to add to. */
export const EMPTY_DRY_RUN: DryRunResult = { ...NOTHING, orphans: 0 };
