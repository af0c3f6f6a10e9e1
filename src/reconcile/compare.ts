import type { ChunkingOptions } from '../chunking/chunker.ts';
import type { EmbeddingModel } from '../embedding/embedder.ts';
import type { IdRange, PageBounds, Source, SourcePage, SourceRow, TableSpec } from '../source/source.ts';
import type { PointHead, PointOwner, PointPage, ScanCursor, Target } from '../target/target.ts';
import type { Expectation } from './diff.ts';
import { recordChecksum } from './identity.ts';
import { largeRowBytes } from './large-row.ts';
import type { MemoryBudget, MemoryLease } from './memory-budget.ts';
import { persist, type Attempt } from './patience.ts';

/**
 * Rows of a page: enough for one embedding request, which takes 1.2 MB of text, and little enough for each slot of a
 * worker to hold one with its chunks and vectors (10 to 20 MB). A larger row waits for the process's memory.
 */
const PAGE = { maxRows: 1_000, maxBytes: 1024 * 1024 };

/** What to compare: the rows of a range, and the points that belong to it. */
export interface Comparison {
  readonly owner: PointOwner;
  readonly table: TableSpec;
  readonly range: IdRange;
  /** Points of records in (range.after, pointsUpTo] belong to this range. */
  readonly pointsUpTo: bigint;
  readonly chunking: ChunkingOptions;
  readonly model: EmbeddingModel;
}

/** What a comparison looks at. */
export interface ComparedServices {
  readonly source: Pick<Source, 'page' | 'existing'>;
  readonly target: Pick<Target, 'scan'>;
  /** What all large rows of the process share. @default no bound */
  readonly memory?: MemoryBudget;
}

/** A record with the points that it has, and what they have to say. */
export interface ComparedRecord {
  readonly row: SourceRow;
  readonly expected: Expectation;
  readonly heads: readonly PointHead[];
}

/** Is told what a comparison finds, in the order of the range. */
export interface ComparisonVisitor {
  /** Points whose rows the unfiltered table lacks; a record's points may come in several calls. */
  orphans(heads: readonly PointHead[]): Promise<void>;
  /** All records of a page of rows. */
  records(records: readonly ComparedRecord[]): Promise<void>;
}

/**
 * Reads the rows of a range page by page, each with the points of the page's ids.
 *
 * @param reading ends the reads
 */
export async function compareRange(
  input: Comparison,
  services: ComparedServices,
  attempt: Attempt,
  reading: AbortSignal,
  visitor: ComparisonVisitor,
): Promise<void> {
  const { range } = input;
  let after = range.after;
  for (;;) {
    const rest = { after, upTo: range.upTo };
    const { page, lease } = await readPage(rest, input, services, attempt, reading);
    const isLast = page.upTo >= range.upTo;
    const pointRange = { after, upTo: isLast ? input.pointsUpTo : page.upTo };
    try {
      await comparePage(page.rows, pointRange, input, services, attempt, reading, visitor);
    } finally {
      lease?.release();
    }
    if (isLast) return;
    after = page.upTo;
    attempt.stop.throwIfAborted();
  }
}

/** Reads the next page. A row too large for one is read alone, once the process has memory for it. */
async function readPage(
  range: IdRange,
  input: Comparison,
  { source, memory }: ComparedServices,
  attempt: Attempt,
  reading: AbortSignal,
): Promise<{ page: SourcePage; lease: MemoryLease | null }> {
  const read = (bounds: PageBounds): Promise<SourcePage> =>
    persist(attempt, () => source.page(input.table, range, bounds, reading));
  if (memory === undefined) return { page: await read(PAGE), lease: null };
  const page = await read({ ...PAGE, deferAbove: PAGE.maxBytes });
  if (page.deferredBytes === undefined) return { page, lease: null };
  const lease = await memory.acquire(largeRowBytes(page.deferredBytes, input), {
    signal: reading,
    onWait: (reason) => attempt.waiting(reason),
  });
  try {
    return { page: await read({ ...PAGE, maxRows: 1 }), lease };
  } catch (error) {
    lease.release();
    throw error;
  }
}

async function comparePage(
  rows: readonly SourceRow[],
  range: IdRange,
  input: Comparison,
  services: ComparedServices,
  attempt: Attempt,
  reading: AbortSignal,
  visitor: ComparisonVisitor,
): Promise<void> {
  const heads = new Map(rows.map(({ id }): [bigint, PointHead[]] => [id, []]));
  // Points without a row in this page may be any number: they are dealt with page by page.
  let others: PointHead[] = [];
  await scanPoints(
    input,
    range,
    services,
    attempt,
    reading,
    (head) => (heads.get(head.recordId) ?? others).push(head),
    async () => {
      if (others.length === 0) return;
      const ids = [...new Set(others.map(({ recordId }) => recordId))];
      const existing = await persist(attempt, () => services.source.existing(input.table, ids, reading));
      await visitor.orphans(others.filter(({ recordId }) => !existing.has(recordId)));
      others = [];
    },
  );
  await visitor.records(
    rows.map((row) => ({ row, expected: expectationOf(row, input), heads: heads.get(row.id) ?? [] })),
  );
}

/** Visits all points of a range, and says when a page is through. */
export async function scanPoints(
  { owner, table }: Pick<Comparison, 'owner' | 'table'>,
  range: IdRange,
  { target }: Pick<ComparedServices, 'target'>,
  attempt: Attempt,
  reading: AbortSignal,
  visit: (head: PointHead) => void,
  endOfPage: () => Promise<void> = async () => undefined,
): Promise<void> {
  let cursor: ScanCursor | null = null;
  do {
    const from: ScanCursor | null = cursor;
    const page: PointPage = await persist(attempt, () =>
      target.scan(owner, range, table.payloadColumns, from, reading),
    );
    page.heads.forEach(visit);
    await endOfPage();
    cursor = page.next;
  } while (cursor !== null);
}

/** What the points of a row have to say. */
export function expectationOf(
  row: SourceRow,
  { chunking, model }: Pick<Comparison, 'chunking' | 'model'>,
): Expectation {
  const isBlank = row.content === null || row.content.trim() === '';
  return {
    recordId: row.id,
    tenant: row.tenant,
    copied: row.copied,
    checksum: isBlank ? null : recordChecksum(row.content, chunking, model),
  };
}
