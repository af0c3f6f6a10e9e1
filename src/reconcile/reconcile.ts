import { setImmediate as yieldNow } from 'node:timers/promises';
import { chunk, type ChunkingOptions } from '../chunking/chunker.ts';
import type { Embedder } from '../embedding/embedder.ts';
import type { FaultCode } from '../errors.ts';
import type { IdRange, Source, SourceRow, TableSpec } from '../source/source.ts';
import type {
  Bm25Options,
  PointHead,
  PointOwner,
  PointPage,
  PointWrite,
  ScanCursor,
  Target,
} from '../target/target.ts';
import type { EmbeddingModel } from '../embedding/embedder.ts';
import { changesOf, desiredPoints, isExact, reusableVectors } from './diff.ts';
import type { Expectation, RecordChange } from './diff.ts';
import { BatchEmbedding } from './embed.ts';
import { recordChecksum } from './identity.ts';
import { persist, type Attempt } from './patience.ts';

/** Rows of a page: enough for one embedding request of ordinary rows, little enough to hold in memory. */
const PAGE = { maxRows: 1_000, maxBytes: 4 * 1024 * 1024 };
/** Points that one call writes or deletes; each call may be repeated and counts as progress. */
const POINTS_PER_CALL = 256;
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
  readonly #embedding: BatchEmbedding;
  /** Reads end at a request to stop; writes and paid requests are completed. */
  readonly #reading: AbortSignal;
  /** Of every record read, in ascending order; what the final scan compares with. */
  #expected = new Map<bigint, Expectation>();
  readonly #written = new Set<bigint>();
  readonly #failed = new Map<bigint, FaultCode>();
  readonly #orphans = new Set<bigint>();
  #pointsWritten = 0;
  #pointsDeleted = 0;

  constructor(input: ReconcileInput, services: ReconcileServices, attempt: Attempt) {
    this.#input = input;
    this.#services = services;
    this.#attempt = attempt;
    this.#embedding = new BatchEmbedding(services.embedder, input.model, attempt);
    this.#reading = AbortSignal.any([attempt.signal, attempt.stop]);
  }

  /** @returns whether anything was written or deleted */
  async pass(): Promise<boolean> {
    const { range, table } = this.#input;
    const before = this.#pointsWritten + this.#pointsDeleted;
    this.#expected = new Map();
    this.#failed.clear();
    let after = range.after;
    for (;;) {
      const rest = { after, upTo: range.upTo };
      const page = await this.#persist(() => this.#services.source.page(table, rest, PAGE, this.#reading));
      const isLast = page.upTo >= range.upTo;
      await this.#reconcilePage(page.rows, { after, upTo: isLast ? this.#input.pointsUpTo : page.upTo });
      if (isLast) return this.#pointsWritten + this.#pointsDeleted > before;
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
      ({ recordId, checksum }) => checksum !== null && this.#written.has(recordId),
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
      pointsWritten: this.#pointsWritten,
      pointsDeleted: this.#pointsDeleted,
      inputs: this.#embedding.inputs,
      tokens: this.#embedding.tokens,
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
    const changed: { row: SourceRow; expected: Expectation; heads: readonly PointHead[] }[] = [];
    for (const row of rows) {
      const expected = this.#expect(row);
      const own = heads.get(row.id) ?? [];
      if (row.refused !== null) this.#failed.set(row.id, row.refused);
      else if (!isExact(expected, own)) changed.push({ row, expected, heads: own });
    }
    await this.#apply(changed);
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

  async #apply(
    changed: readonly { row: SourceRow; expected: Expectation; heads: readonly PointHead[] }[],
  ): Promise<void> {
    if (changed.length === 0) return;
    const { owner, chunking } = this.#input;
    const { target } = this.#services;
    const existing = changed.flatMap(({ heads }) => heads.map(({ id }) => id));
    const texts: ReadonlyMap<string, string> =
      existing.length === 0
        ? new Map<string, string>()
        : await this.#persist(() => target.texts(owner.collection, existing, this.#reading));
    const changes: RecordChange[] = [];
    const reusable = new Map<string, string>();
    for (const { row, expected, heads } of changed) {
      const parents = expected.checksum === null ? [] : await chunk(row.content ?? '', chunking, yieldNow);
      this.#attempt.progressed();
      this.#attempt.stop.throwIfAborted();
      const change = changesOf(row.id, desiredPoints(owner.source, expected, parents), heads, texts);
      changes.push(change);
      for (const [text, id] of reusableVectors(change, heads, texts)) reusable.set(text, id);
    }
    const vectors = await this.#reuse(reusable);
    await this.#embedAndWrite(changes, vectors);
  }

  /** Vectors that the target has already, by text. */
  async #reuse(reusable: ReadonlyMap<string, string>): Promise<Map<string, readonly number[]>> {
    if (reusable.size === 0) return new Map();
    const byId = await this.#persist(() =>
      this.#services.target.vectors(this.#input.owner.collection, [...reusable.values()], this.#reading),
    );
    return new Map(
      [...reusable].flatMap(([text, id]) => {
        const vector = byId.get(id);
        return vector === undefined ? [] : [[text, vector]];
      }),
    );
  }

  /** Embeds request by request and writes the points of a record as soon as all of its vectors are there. */
  async #embedAndWrite(
    changes: readonly RecordChange[],
    vectors: Map<string, readonly number[]>,
  ): Promise<void> {
    const refused = new Map<string, FaultCode>();
    let waiting = await this.#writeReady(changes, vectors, refused);
    const missing = new Set(waiting.flatMap(textsOf).filter((text) => !vectors.has(text)));
    for (const request of this.#embedding.requests([...missing])) {
      this.#attempt.stop.throwIfAborted();
      await this.#embedding.embed(request, vectors, refused);
      waiting = await this.#writeReady(waiting, vectors, refused);
    }
  }

  /** @returns the changes that still wait for a vector */
  async #writeReady(
    changes: readonly RecordChange[],
    vectors: ReadonlyMap<string, readonly number[]>,
    refused: ReadonlyMap<string, FaultCode>,
  ): Promise<RecordChange[]> {
    const ready: RecordChange[] = [];
    const waiting: RecordChange[] = [];
    for (const change of changes) {
      const texts = textsOf(change);
      const refusal = texts.map((text) => refused.get(text)).find((code) => code !== undefined);
      // A failed record keeps the points it had: outdated, and listed as such, but whole.
      if (refusal !== undefined) this.#failed.set(change.recordId, refusal);
      else if (texts.every((text) => vectors.has(text))) ready.push(change);
      else waiting.push(change);
    }
    const writes = ready.flatMap(({ writes }) => writes.map((write) => completed(write, vectors)));
    const stale = ready.flatMap((change) => change.stale);
    const { owner, jobId, bm25 } = this.#input;
    const { target } = this.#services;
    for (const some of inSlices(writes)) {
      await this.#persist(() => target.write(owner, jobId, bm25, some, this.#attempt.signal));
      this.#pointsWritten += some.length;
    }
    // Only after the writes: a crash in between leaves points of another checksum, which the next diff finds.
    await this.#delete(stale);
    for (const { recordId } of ready) this.#written.add(recordId);
    return waiting;
  }

  async #reconcileOrphans(heads: readonly PointHead[]): Promise<void> {
    if (heads.length === 0) return;
    const { table, prune } = this.#input;
    const ids = [...new Set(heads.map(({ recordId }) => recordId))];
    const existing = await this.#persist(() => this.#services.source.existing(table, ids, this.#reading));
    const orphans = heads.filter(({ recordId }) => !existing.has(recordId));
    for (const { recordId } of orphans) this.#orphans.add(recordId);
    if (prune) await this.#delete(orphans.map(({ id }) => id));
  }

  async #delete(pointIds: readonly string[]): Promise<void> {
    const { collection } = this.#input.owner;
    for (const some of inSlices(pointIds)) {
      await this.#persist(() => this.#services.target.delete(collection, some, this.#attempt.signal));
      this.#pointsDeleted += some.length;
    }
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

function inSlices<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / POINTS_PER_CALL) }, (_, k) =>
    items.slice(k * POINTS_PER_CALL, (k + 1) * POINTS_PER_CALL),
  );
}

function textsOf(change: RecordChange): string[] {
  return change.writes.flatMap(({ vectorOf }) => (vectorOf === null ? [] : [vectorOf]));
}

function completed(
  write: RecordChange['writes'][number],
  vectors: ReadonlyMap<string, readonly number[]>,
): PointWrite {
  const { action, point, vectorOf, collectionIds } = write;
  const vector = vectorOf === null ? null : (vectors.get(vectorOf) ?? null);
  if (action === 'describe') return { action, point };
  return action === 'create' ? { action, point, vector, collectionIds } : { action, point, vector };
}
