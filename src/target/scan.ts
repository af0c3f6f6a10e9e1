import type { Schemas } from '@qdrant/js-client-rest';
import type { Vector } from '../embedding/embedder.ts';
import type { IdRange } from '../source/source.ts';
import type { Send } from './connection.ts';
import { DENSE, headPaths, pointHead } from './payload.ts';
import { scanBounds } from './scan-bounds.ts';
import type { PointOwner, PointPage, ScanCursor } from './target.ts';

/** Points a page of a scan; strict mode must allow as many. */
export const SCAN_PAGE = 1_000;
const TEXTS_PAGE = 500;
/** Vectors are large: 32 of 1,536 dimensions are 1 MB of JSON, which the driver reads at a stretch (20 ms). */
const VECTORS_PAGE = 32;

const TEXT_ONLY = { with_payload: ['text'], with_vector: false };
const VECTOR_ONLY = { with_payload: false, with_vector: [DENSE] };

/** Contract: {@link Target.scan}. */
export async function scan(
  send: Send,
  owner: PointOwner,
  range: IdRange,
  copiedColumns: readonly string[],
  cursor: ScanCursor | null,
  signal: AbortSignal,
): Promise<PointPage> {
  if (range.after >= range.upTo) {
    return { heads: [], next: null };
  }
  const bounds = scanBounds(range);
  const filter = {
    must: [
      { key: 'source', match: { value: owner.source } },
      ...(Object.keys(bounds).length === 0 ? [] : [{ key: 'summary_id', range: bounds }]),
    ],
  };
  const page = await send(signal, (api, init) =>
    api.scrollPoints(
      {
        collection_name: owner.collection,
        filter,
        limit: SCAN_PAGE,
        with_payload: { include: headPaths(copiedColumns) },
        with_vector: false,
        ...(cursor === null ? {} : { offset: cursor as Schemas['ExtendedPointId'] }),
      },
      init,
    ),
  );
  const heads = page.points
    .map(({ id, payload }) => pointHead(String(id), payload ?? {}, copiedColumns))
    .filter((head) => head !== null)
    .filter(({ recordId }) => recordId > range.after && recordId <= range.upTo);
  return { heads, next: (page.next_page_offset as ScanCursor | null | undefined) ?? null };
}

/** Contract: {@link Target.texts}. */
export async function texts(
  send: Send,
  collection: string,
  pointIds: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { id, payload } of retrieve(send, collection, pointIds, TEXTS_PAGE, TEXT_ONLY, signal)) {
    if (typeof payload?.text === 'string') {
      found.set(String(id), payload.text);
    }
  }
  return found;
}

/** Contract: {@link Target.vectors}. */
export async function vectors(
  send: Send,
  collection: string,
  pointIds: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, Vector>> {
  const found = new Map<string, Vector>();
  for await (const { id, vector } of retrieve(
    send,
    collection,
    pointIds,
    VECTORS_PAGE,
    VECTOR_ONLY,
    signal,
  )) {
    const dense = (vector as Record<string, unknown> | null | undefined)?.[DENSE];
    if (Array.isArray(dense)) {
      found.set(String(id), Float32Array.from(dense as number[]));
    }
  }
  return found;
}

async function* retrieve(
  send: Send,
  collection: string,
  pointIds: readonly string[],
  pageSize: number,
  wanted: Pick<Schemas['PointRequest'], 'with_payload' | 'with_vector'>,
  signal: AbortSignal,
): AsyncGenerator<Schemas['Record']> {
  for (let start = 0; start < pointIds.length; start += pageSize) {
    yield* await send(signal, (api, init) =>
      api.getPoints(
        {
          collection_name: collection,
          ids: pointIds.slice(start, start + pageSize),
          ...wanted,
        },
        init,
      ),
    );
  }
}
