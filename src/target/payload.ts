import { createHash } from 'node:crypto';
import type { PayloadValue } from '../source/source.ts';
import type { Point, PointHead } from './target.ts';

/** Name of the dense vector. */
export const DENSE = 'child';
/** Name of the BM25 vector. */
export const SPARSE = 'child-sparse';

/** Begins what stands in `checksum` while a point is changed. */
const UNFINISHED = '~';

/** What `point_hash` covers, besides the copied columns. */
const HASHED = [
  'source',
  'summary_id',
  'member_code',
  'type',
  'parent_idx',
  'chunk_index',
  'parent_id',
  'text',
  'checksum',
  'point_count',
] as const;

/** Payload keys of the product; a copied column must not be named like one of them. */
export const PAYLOAD_KEYS = [...HASHED, 'point_hash', 'job_id', 'collection_ids'] as const;

/** All names that an error message may carry. */
export const SCHEMA_NAMES: ReadonlySet<string> = new Set([...PAYLOAD_KEYS, DENSE, SPARSE]);

/**
 * A payload as it is sent or, with foreign keys, as it was read. Null and absent mean the same: an upsert stores null,
 * set_payload takes it as an order to remove the key.
 */
export type Payload = Record<string, unknown>;

/**
 * The payload that reconcile owns: everything but `collection_ids`, which another job maintains.
 *
 * @param source `<label>/<table>`
 * @param jobId UUID of the run
 */
export function pointPayload(point: Point, source: string, jobId: string): Payload {
  const payload: Payload = {
    ...point.copied,
    source,
    summary_id: point.recordId,
    member_code: point.tenant,
    type: point.type,
    parent_idx: point.parentIndex,
    chunk_index: point.chunkIndex,
    parent_id: point.parentId,
    text: point.text,
    checksum: point.checksum,
    point_count: point.pointCount,
  };
  return { ...payload, point_hash: pointHash(payload, Object.keys(point.copied)), job_id: jobId };
}

/**
 * Hash of a payload as reconcile writes it, so that damage shows without the source. It is the same before writing and
 * after reading back; keys of others, `collection_ids` and `job_id` have no part in it.
 *
 * @returns 64 hex digits
 */
export function pointHash(payload: Payload, copiedColumns: readonly string[]): string {
  const members = [...HASHED, ...copiedColumns]
    .filter((key) => payload[key] !== undefined && payload[key] !== null)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(payload[key])}`);
  return createHash('sha256').update(`{${members.join()}}`).digest('hex');
}

/** The payload keys that a {@link PointHead} needs, as paths of Qdrant. */
export function headPaths(copiedColumns: readonly string[]): string[] {
  return [
    'summary_id',
    'type',
    'checksum',
    'point_count',
    'member_code',
    'collection_ids',
    ...copiedColumns,
  ].map(payloadPath);
}

/** The path of a top-level key: unquoted, a dot or bracket in its name would lead into an object. */
export function payloadPath(key: string): string {
  return /^[\w-]+$/.test(key) ? key : `"${key}"`;
}

/**
 * What stands in `checksum` while a change makes a point one of this checksum. It names its change: another one that runs
 * beside it cannot go on where this one has begun.
 */
export function unfinishedChecksum(checksum: string): string {
  return `${UNFINISHED}${checksum}`;
}

/** @param checksum null on a point that has lost it */
export function isUnfinished(checksum: string | null): boolean {
  return checksum === null || checksum.startsWith(UNFINISHED);
}

/** @returns null if the payload has no exact record id: such a point lies in no range */
export function pointHead(id: string, payload: Payload, copiedColumns: readonly string[]): PointHead | null {
  const recordId = integer(payload.summary_id);
  if (recordId === null) {
    return null;
  }
  const pointCount = integer(payload.point_count);
  const checksum = typeof payload.checksum === 'string' && payload.checksum !== '' ? payload.checksum : null;
  return {
    id,
    recordId,
    type: payload.type === 'parent' ? 'parent' : 'child',
    checksum,
    isUnfinished: isUnfinished(checksum),
    pointCount: pointCount === null ? null : Number(pointCount),
    tenant: typeof payload.member_code === 'string' ? payload.member_code : null,
    copied: copiedValues(payload, copiedColumns),
    collectionIds: payload.collection_ids ?? null,
  };
}

/** A 64-bit integer of a payload: the driver gives a number where that is exact, else a bigint. */
export function integer(value: unknown): bigint | null {
  if (typeof value === 'bigint') {
    return value;
  }
  return Number.isSafeInteger(value) ? BigInt(value as number) : null;
}

/** The copied columns as they are stored. Objects and lists are left out, so that they differ from whatever the source has. */
export function copiedValues(payload: Payload, columns: readonly string[]): Record<string, PayloadValue> {
  const values: Record<string, PayloadValue> = {};
  for (const column of columns) {
    const value = payload[column] ?? null;
    if (value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)) {
      values[column] = integer(value) ?? (value as PayloadValue);
    }
  }
  return values;
}

/** JSON in which an integer looks the same as number and as bigint. */
function canonical(value: unknown): string {
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}
