import type { ChunkingOptions } from '../chunking/chunker.ts';
import type { Embedder, EmbeddingModel } from '../embedding/embedder.ts';
import type { FaultCode } from '../errors.ts';
import type { IdRange, Source, SourceRow, TableSpec } from '../source/source.ts';
import type { Bm25Options, PointHead, PointOwner, PointPage, ScanCursor, Target } from '../target/target.ts';
import { Apply, type ChangedRecord } from './apply.ts';
import { isExact, type Expectation } from './diff.ts';
import { recordChecksum } from './identity.ts';
import { persist, type Attempt } from './patience.ts';

/** Rows of a page: enough for one embedding request of ordinary rows, little enough to hold in memory. */
const PAGE = { maxRows: 1_000, maxBytes: 4 * 1024 * 1024 };
/** A range that is still inexact after this many passes is changed by somebody else faster than we can write. */
const MAX_PASSES = 3;

/** What to make equal. */
export interface ReconcileInput {
  readonly owner: PointOwner;
  readonly table: TableSpec;
  readonly range: IdRange;
  /** Points of records in (range.after, pointsUpTo] belong to this range. */
  readonly pointsUpTo: bigint;
  readonly chunking: ChunkingOptions;
  readonly model: EmbeddingModel;
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
  attempt: Attempt,
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
  readonly #attempt: Attempt;
  readonly #apply: Apply;
  /** Reads end at a request to stop; writes and paid requests are completed. */
  readonly #reading: AbortSignal;
  /** Of every record read, in ascending order; what the final scan compares with. */
  #expected = new Map<bigint, Expectation>();
  readonly #failed = new Map<bigint, FaultCode>();
  readonly #orphans = new Set<bigint>();

  constructor(input: ReconcileInput, services: ReconcileServices, attempt: Attempt) {
    this.#input = input;
    this.#services = services;
    this.#attempt = attempt;
    this.#reading = AbortSignal.any([attempt.signal, attempt.stop]);
    this.#apply = new Apply(input, services, attempt, this.#reading);
  }

  /** @returns whether anything was written or deleted */
  async pass(): Promise<boolean> {
    const { range, table } = this.#input;
    const before = this.#apply.pointsTouched;
    this.#expected = new Map();
    this.#failed.clear();
    let after = range.after;
    for (;;) {
      const rest = { after, upTo: range.upTo };
      const page = await this.#persist(() => this.#services.source.page(table, rest, PAGE, this.#reading));
      const isLast = page.upTo >= range.upTo;
      await this.#reconcilePage(page.rows, { after, upTo: isLast ? this.#input.pointsUpTo : page.upTo });
      if (isLast) return this.#apply.pointsTouched > before;
      after = page.upTo;
      this.#attempt.stop.throwIfAborted();
    }
  }

  /** Scans the whole range again and compares every record that should be right by now. */
  async isExact(): Promise<boolean> {
    const { range, pointsUpTo } = this.#input;
    const heads = new Map([...this.#expected.keys()].map((id): [bigint, PointHead[]] => [id, []]));
    await this.#scan({ after: range.after, upTo: pointsUpTo }, (head) =>
      heads.get(head.recordId)?.push(head),
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

  async #reconcilePage(rows: readonly SourceRow[], range: IdRange): Promise<void> {
    const heads = new Map(rows.map(({ id }): [bigint, PointHead[]] => [id, []]));
    // Points without a row in this page may be any number: they are dealt with page by page.
    let others: PointHead[] = [];
    await this.#scan(
      range,
      (head) => (heads.get(head.recordId) ?? others).push(head),
      async () => {
        await this.#reconcileOrphans(others);
        others = [];
      },
    );
    const changed: ChangedRecord[] = [];
    for (const row of rows) {
      const expected = this.#expect(row);
      const own = heads.get(row.id) ?? [];
      if (row.refused !== null) this.#failed.set(row.id, row.refused);
      else if (!isExact(expected, own)) changed.push({ row, expected, heads: own });
    }
    const failed = await this.#apply.records(changed);
    for (const [recordId, code] of failed) this.#failed.set(recordId, code);
  }

  #expect(row: SourceRow): Expectation {
    const isBlank = row.content === null || row.content.trim() === '';
    const { chunking, model } = this.#input;
    const expected = {
      recordId: row.id,
      tenant: row.tenant,
      copied: row.copied,
      checksum: isBlank ? null : recordChecksum(row.content, chunking, model),
    };
    this.#expected.set(row.id, expected);
    return expected;
  }

  async #reconcileOrphans(heads: readonly PointHead[]): Promise<void> {
    if (heads.length === 0) return;
    const { table, prune } = this.#input;
    const ids = [...new Set(heads.map(({ recordId }) => recordId))];
    const existing = await this.#persist(() => this.#services.source.existing(table, ids, this.#reading));
    const orphans = heads.filter(({ recordId }) => !existing.has(recordId));
    for (const { recordId } of orphans) this.#orphans.add(recordId);
    if (prune) await this.#apply.deletePoints(orphans.map(({ id }) => id));
  }

  /** Visits all points of the range, and says when a page is through. */
  async #scan(
    range: IdRange,
    visit: (head: PointHead) => void,
    endOfPage: () => Promise<void> = async () => undefined,
  ): Promise<void> {
    const { owner, table } = this.#input;
    let cursor: ScanCursor | null = null;
    do {
      const from: ScanCursor | null = cursor;
      const page: PointPage = await this.#persist(() =>
        this.#services.target.scan(owner, range, table.payloadColumns, from, this.#reading),
      );
      page.heads.forEach(visit);
      await endOfPage();
      cursor = page.next;
    } while (cursor !== null);
  }

  #persist<T>(call: () => Promise<T>): Promise<T> {
    return persist(this.#attempt, call);
  }
}
