import type { Parent } from '../chunking/chunker.ts';
import type { PayloadValue } from '../source/source.ts';
import type { Point, PointHead, PointWrite, SeenPoint } from '../target/target.ts';
import { pointId } from './identity.ts';

/** What the points of one record have to say. */
export interface Expectation {
  readonly recordId: bigint;
  readonly tenant: string | null;
  readonly copied: Readonly<Record<string, PayloadValue>>;
  /** Null for a record without content: it has no points. */
  readonly checksum: string | null;
}

/** What makes one record exact: texts to find vectors for, then writes, then deletes. */
export interface RecordChange {
  readonly recordId: bigint;
  /** In order of the record's points; a write with a `vectorOf` waits for the vector of that text. */
  readonly writes: readonly PlannedWrite[];
  /** Points that the record no longer has; deleted after the writes. */
  readonly stale: readonly SeenPoint[];
}

/** A write whose vector is still to be found. */
export interface PlannedWrite {
  readonly action: PointWrite['action'];
  readonly point: Point;
  /** The checksum that the point had; null on one that is created. */
  readonly seen: string | null;
  /** The text whose vector the write needs; null where it carries none. */
  readonly vectorOf: string | null;
  readonly collectionIds: unknown;
}

/**
 * Whether a record needs nothing: exactly as many points as each of them says, all of its checksum and none of
 * another, with the row's tenant and copied columns.
 *
 * @param heads all points of the record
 */
export function isExact(expected: Expectation, heads: readonly PointHead[]): boolean {
  if (expected.checksum === null) return heads.length === 0;
  return (
    heads.length > 0 &&
    heads.every(
      (head) =>
        head.checksum === expected.checksum &&
        head.pointCount === heads.length &&
        head.tenant === expected.tenant &&
        Object.entries(expected.copied).every(([column, value]) =>
          sameValue(head.copied[column] ?? null, value),
        ),
    )
  );
}

/** The target gives integers back as bigint, whatever they were written as. */
function sameValue(a: PayloadValue, b: PayloadValue): boolean {
  const isIntegral = (value: PayloadValue): value is number => Number.isInteger(value);
  return (isIntegral(a) ? BigInt(a) : a) === (isIntegral(b) ? BigInt(b) : b);
}

/**
 * The points that a record should have: its parents, each followed by its children.
 *
 * @param source `<label>/<table>`
 * @param parents the record's chunks; an empty list gives no points
 */
export function desiredPoints(source: string, expected: Expectation, parents: readonly Parent[]): Point[] {
  const pointCount = parents.reduce((sum, parent) => sum + 1 + parent.children.length, 0);
  const { recordId, tenant, copied } = expected;
  const common = { recordId, tenant, copied, checksum: expected.checksum ?? '', pointCount };
  let chunkIndex = 0;
  return parents.flatMap((parent, parentIndex): Point[] => {
    const parentId = pointId(source, recordId, 'parent', parentIndex);
    return [
      {
        ...common,
        id: parentId,
        type: 'parent',
        parentIndex,
        chunkIndex: null,
        parentId: null,
        text: parent.text,
      },
      ...parent.children.map((text): Point => {
        const index = chunkIndex++;
        const id = pointId(source, recordId, 'child', index);
        return { ...common, id, type: 'child', parentIndex, chunkIndex: index, parentId, text };
      }),
    ];
  });
}

/**
 * Compares the points that a record should have with those that it has.
 *
 * @param texts the texts of the record's points that exist, by point id
 */
export function changesOf(
  recordId: bigint,
  desired: readonly Point[],
  heads: readonly PointHead[],
  texts: ReadonlyMap<string, string>,
): RecordChange {
  const existing = new Map(heads.map((head) => [head.id, head]));
  const collectionIds = heads.find((head) => head.collectionIds !== null)?.collectionIds ?? null;
  const writes = desired.map((point): PlannedWrite => {
    const head = existing.get(point.id);
    const needsVector = point.type === 'child' ? point.text : null;
    if (head === undefined)
      return { action: 'create', point, seen: null, vectorOf: needsVector, collectionIds };
    const seen = head.checksum;
    const keepsVector = !head.isUnfinished && texts.get(point.id) === point.text;
    return keepsVector
      ? { action: 'describe', point, seen, vectorOf: null, collectionIds: null }
      : { action: 'replace', point, seen, vectorOf: needsVector, collectionIds: null };
  });
  const wanted = new Set(desired.map(({ id }) => id));
  return { recordId, writes, stale: heads.filter(({ id }) => !wanted.has(id)) };
}

/**
 * Texts whose vectors need not be paid: another point of the same record has them (an edit near the beginning shifts
 * the ordinals of all that follows).
 *
 * @returns point id to take the vector from, by text
 */
export function reusableVectors(
  change: RecordChange,
  heads: readonly PointHead[],
  texts: ReadonlyMap<string, string>,
): Map<string, string> {
  const byText = new Map<string, string>();
  for (const { id, type, isUnfinished } of heads) {
    const text = texts.get(id);
    // A parent may have the text of its only child, but it has no vector.
    if (type === 'child' && !isUnfinished && text !== undefined) byText.set(text, id);
  }
  const needed = change.writes.flatMap(({ vectorOf }) => (vectorOf === null ? [] : [vectorOf]));
  return new Map(needed.flatMap((text) => (byText.has(text) ? [[text, byText.get(text) as string]] : [])));
}
