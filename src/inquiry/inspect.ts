import { setImmediate as yieldNow } from 'node:timers/promises';
import { chunk } from '../chunking/chunker.ts';
import { countTokens } from '../chunking/tokens.ts';
import { InputError } from '../errors.ts';
import type { InspectedPoint, InspectInput, InspectReport } from '../job/inquiry.ts';
import type { JobSpecification } from '../job/specification.ts';
import { expectationOf } from '../reconcile/compare.ts';
import { isExact, type Expectation } from '../reconcile/diff.ts';
import { persist, type Attempt } from '../reconcile/patience.ts';
import type { IdRange, SourceRow } from '../source/source.ts';
import type { StoredPoint } from '../target/target.ts';
import { TextAllowance } from './answer-size.ts';
import type { InquiryServices } from './services.ts';

/** Most points that an answer lists, for the sake of Temporal's limit for a result; a record may have thousands. */
export const MAX_INSPECTED_POINTS = 2_000;

const SMALLEST = -(2n ** 63n);
const LARGEST = 2n ** 63n - 1n;

/** @returns a record id from its decimal text. @throws InputError unless it is a signed 64-bit integer */
export function recordIdOf(text: string): bigint {
  const id = /^-?\d{1,19}$/.test(text) ? BigInt(text) : null;
  if (id === null || id < SMALLEST || id > LARGEST) {
    throw new InputError([`RECORD: expected a record id, a whole number from ${SMALLEST} to ${LARGEST}.`]);
  }
  return id;
}

/** Contract: {@link Inquiries.inspect}. @throws InputError if the record id is malformed */
export async function inspect(
  services: InquiryServices,
  { specification, recordId, withContent }: InspectInput,
  attempt: Attempt,
): Promise<InspectReport> {
  const { collection: spec, source, table } = specification;
  const id = recordIdOf(recordId);
  const signal = AbortSignal.any([attempt.signal, attempt.stop]);
  const range = { after: id - 1n, upTo: id };
  const page = await persist(attempt, () =>
    services.source.page(table, range, { maxRows: 1, maxBytes: 1 }, signal),
  );
  const row = page.rows[0] ?? null;
  const existsUnfiltered =
    row !== null || (await persist(attempt, () => services.source.existing(table, [id], signal))).has(id);
  const { collection } = await persist(attempt, () => services.target.find(spec, signal));
  const stored =
    collection === null
      ? []
      : await persist(attempt, () =>
          services.target.record({ collection, source }, id, table.payloadColumns, signal),
        );
  const expected =
    row === null ? null : expectationOf(row, { chunking: specification.chunking, model: spec });
  const texts = new TextAllowance();
  return {
    recordId: String(id),
    collection,
    row: row && expected && (await described(services, specification, row, range, expected, texts, attempt)),
    existsUnfiltered,
    state: stateOf(row, existsUnfiltered, expected, stored),
    pointCount: stored.length,
    points: stored
      .toSorted(inOrder)
      .slice(0, MAX_INSPECTED_POINTS)
      .map((point) => inspected(point, expected, withContent ? texts : null)),
  };
}

/** The row's shape, and what it should become. */
async function described(
  { source }: InquiryServices,
  { table, chunking }: JobSpecification,
  row: SourceRow,
  range: IdRange,
  { checksum }: Expectation,
  texts: TextAllowance,
  attempt: Attempt,
): Promise<InspectReport['row']> {
  let parents = 0;
  let children = 0;
  let tokens = 0;
  for (const parent of checksum === null ? [] : await chunk(row.content ?? '', chunking, yieldNow)) {
    parents++;
    children += parent.children.length;
    for (const child of parent.children) tokens += countTokens(child);
    await yieldNow();
    attempt.progressed();
    attempt.stop.throwIfAborted();
  }
  return {
    tenant: row.tenant,
    contentBytes:
      row.content === null ? await sizeOf(source, table, range, attempt) : Buffer.byteLength(row.content),
    refused: row.refused,
    copied: Object.fromEntries(
      Object.entries(row.copied).map(([column, value]) => [column, texts.takeValue(value)]),
    ),
    parents,
    children,
    tokens,
    checksum,
  };
}

/** Of content that was refused, and so not read. */
async function sizeOf(
  source: InquiryServices['source'],
  table: JobSpecification['table'],
  range: IdRange,
  attempt: Attempt,
): Promise<number | null> {
  const signal = AbortSignal.any([attempt.signal, attempt.stop]);
  return (await persist(attempt, () => source.sizes(table, range, 1, signal)))[0]?.bytes ?? null;
}

function stateOf(
  row: SourceRow | null,
  existsUnfiltered: boolean,
  expected: Expectation | null,
  stored: readonly StoredPoint[],
): InspectReport['state'] {
  const isEmpty = stored.length === 0;
  if (row === null || expected === null) {
    if (isEmpty) return 'absent';
    return existsUnfiltered ? 'filtered' : 'orphaned';
  }
  // Content that is refused should have become something, but nobody knows what.
  if (row.refused !== null) return isEmpty ? 'missing' : 'outdated';
  if (expected.checksum === null && isEmpty) return 'absent';
  const heads = stored.map(({ head }) => head);
  if (isExact(expected, heads)) return 'exact';
  return isEmpty ? 'missing' : 'outdated';
}

function inspected(
  point: StoredPoint,
  expected: Expectation | null,
  texts: TextAllowance | null,
): InspectedPoint {
  const { head, parentIndex, chunkIndex, text, jobId, hasDense, hasSparse, isIntact } = point;
  return {
    id: head.id,
    type: head.type,
    parentIndex,
    chunkIndex,
    hasDense,
    hasSparse,
    isCurrent: head.checksum !== null && head.checksum === (expected?.checksum ?? null),
    isIntact,
    checksum: head.checksum,
    jobId,
    characters: text.length,
    text: texts?.take(text) ?? null,
  };
}

/** Parents, each before its children. */
function inOrder(a: StoredPoint, b: StoredPoint): number {
  return a.parentIndex - b.parentIndex || (a.chunkIndex ?? -1) - (b.chunkIndex ?? -1);
}
