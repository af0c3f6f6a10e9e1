import type { Embedder } from '../embedding/embedder.ts';
import type { FaultCode } from '../errors.ts';
import type { Source } from '../source/source.ts';
import type { Bm25Options, PointHead, Target } from '../target/target.ts';
import { Apply } from './apply.ts';
import { compareRange, scanPoints, type ComparedRecord, type Comparison } from './compare.ts';
import { isExact, type Expectation } from './diff.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { WritingAttempt } from './patience.ts';

/** A range that is still inexact after this many passes is changed by somebody else faster than we can write. */
const MAX_PASSES = 3;

/** What to make equal. */
export interface ReconcileInput extends Comparison {
  readonly bm25: Bm25Options;
  /** UUID of the run. */
  readonly jobId: string;
  /** Whether points of rows that the unfiltered table lacks are deleted; they are counted either way. */
  readonly prune: boolean;
}

/** The services that the operation works on. */
export interface ReconcileServices {
  readonly source: Source;
  readonly embedder: Embedder;
  readonly target: Target;
  /** What all large rows of the process share. @default no bound */
  readonly memory?: MemoryBudget;
}

/** What was found and done. */
export interface ReconcileResult {
  readonly firstId: bigint | null;
  readonly lastId: bigint | null;
  /** written + unchanged + skipped + failed */
  readonly records: number;
  readonly written: number;
  readonly unchanged: number;
  readonly skipped: number;
  readonly failed: readonly (readonly [recordId: bigint, code: FaultCode])[];
  readonly orphans: number;
  readonly pointsWritten: number;
  readonly pointsDeleted: number;
  readonly inputs: number;
  readonly tokens: number;
}

/**
 * The one operation: makes the target equal to the source for the records of a range. Reads rows, compares them with
 * the points in the target, embeds only what is new, writes points, deletes stale ones, and scans again. The target
 * is the checkpoint: a range that was interrupted anywhere is simply reconciled again, and finished records cost a
 * look-up.
 *
 * @throws Fault of kind halting or unexplained; record faults are in the result, transient ones are waited out
 */
export async function reconcile(
  input: ReconcileInput,
  services: ReconcileServices,
  attempt: WritingAttempt,
): Promise<ReconcileResult> {
  const run = new Reconciliation(input, services, attempt);
  for (let pass = 1; pass <= MAX_PASSES; pass++) {
    const changed = await run.pass();
    if (!changed || (await run.isExact())) return run.result();
  }
  throw new Error(`The range is not exact after ${MAX_PASSES} passes: something else writes these points.`);
}

class Reconciliation {
  readonly #input: ReconcileInput;
  readonly #services: ReconcileServices;
  readonly #attempt: WritingAttempt;
  readonly #apply: Apply;
  /** Reads end at a request to stop; writes and paid requests are completed. */
  readonly #reading: AbortSignal;
  /** Of every record read, in ascending order; what the final scan compares with. */
  #expected = new Map<bigint, Expectation>();
  readonly #failed = new Map<bigint, FaultCode>();
  readonly #orphans = new Set<bigint>();

  constructor(input: ReconcileInput, services: ReconcileServices, attempt: WritingAttempt) {
    this.#input = input;
    this.#services = services;
    this.#attempt = attempt;
    this.#reading = AbortSignal.any([attempt.signal, attempt.stop]);
    this.#apply = new Apply(input, services, attempt, this.#reading);
  }

  /** @returns whether anything was written or deleted */
  async pass(): Promise<boolean> {
    const before = this.#apply.pointsTouched;
    this.#expected = new Map();
    this.#failed.clear();
    await compareRange(this.#input, this.#services, this.#attempt, this.#reading, {
      orphans: (heads) => this.#reconcileOrphans(heads),
      records: (records) => this.#reconcileRecords(records),
    });
    return this.#apply.pointsTouched > before;
  }

  /** Scans the whole range again and compares every record that should be right by now. */
  async isExact(): Promise<boolean> {
    const { range, pointsUpTo } = this.#input;
    const heads = new Map([...this.#expected.keys()].map((id): [bigint, PointHead[]] => [id, []]));
    await scanPoints(
      this.#input,
      { after: range.after, upTo: pointsUpTo },
      this.#services,
      this.#attempt,
      this.#reading,
      (head) => heads.get(head.recordId)?.push(head),
    );
    return [...this.#expected.values()].every(
      (expected) =>
        this.#failed.has(expected.recordId) || isExact(expected, heads.get(expected.recordId) ?? []),
    );
  }

  result(): ReconcileResult {
    const ids = [...this.#expected.keys()];
    const failed = [...this.#failed];
    const succeeded = [...this.#expected.values()].filter(({ recordId }) => !this.#failed.has(recordId));
    const skipped = succeeded.filter(({ checksum }) => checksum === null).length;
    const written = succeeded.filter(
      ({ recordId, checksum }) => checksum !== null && this.#apply.written.has(recordId),
    ).length;
    return {
      firstId: ids[0] ?? null,
      lastId: ids.at(-1) ?? null,
      records: ids.length,
      written,
      unchanged: succeeded.length - skipped - written,
      skipped,
      failed,
      orphans: this.#orphans.size,
      pointsWritten: this.#apply.pointsWritten,
      pointsDeleted: this.#apply.pointsDeleted,
      inputs: this.#apply.embedding.inputs,
      tokens: this.#apply.embedding.tokens,
    };
  }

  async #reconcileRecords(records: readonly ComparedRecord[]): Promise<void> {
    const changed: ComparedRecord[] = [];
    for (const record of records) {
      const { row, expected, heads } = record;
      this.#expected.set(row.id, expected);
      if (row.refused !== null) this.#failed.set(row.id, row.refused);
      else if (!isExact(expected, heads)) changed.push(record);
    }
    const failed = await this.#apply.records(changed);
    for (const [recordId, code] of failed) this.#failed.set(recordId, code);
  }

  async #reconcileOrphans(heads: readonly PointHead[]): Promise<void> {
    for (const { recordId } of heads) this.#orphans.add(recordId);
    if (this.#input.prune) await this.#apply.deletePoints(heads);
  }
}
