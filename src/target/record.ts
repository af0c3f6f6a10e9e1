import type { Schemas } from '@qdrant/js-client-rest';
import type { Send } from './connection.ts';
import { DENSE, integer, PAYLOAD_KEYS, payloadPath, pointHash, pointHead, SPARSE } from './payload.ts';
import type { PointOwner, StoredPoint } from './target.ts';

/** Texts come along; vectors do not. */
const RECORD_PAGE = 500;

type Selected = Omit<Schemas['ScrollRequest'], 'filter' | 'limit' | 'offset'>;

/** Contract: {@link Target.record}. */
export async function record(
  send: Send,
  owner: PointOwner,
  recordId: bigint,
  copiedColumns: readonly string[],
  signal: AbortSignal,
): Promise<StoredPoint[]> {
  const ofRecord = [
    { key: 'source', match: { value: owner.source } },
    // A match compares 64-bit integers exactly; the client sends a bigint as it is.
    { key: 'summary_id', match: { value: recordId as unknown as number } },
  ];
  const read = (must: Schemas['Filter']['must'], selected: Selected) =>
    scroll(send, owner.collection, { must }, selected, signal);
  const idsWith = async (has_vector: string) =>
    new Set((await read([...ofRecord, { has_vector }], { with_payload: false })).map(({ id }) => String(id)));

  const keys = [...PAYLOAD_KEYS, ...copiedColumns].map(payloadPath);
  const points = await read(ofRecord, { with_payload: { include: keys } });
  const dense = await idsWith(DENSE);
  const sparse = await idsWith(SPARSE);
  return points.flatMap(({ id: pointId, payload: stored }) => {
    const id = String(pointId);
    const payload = stored ?? {};
    const head = pointHead(id, payload, copiedColumns);
    if (head === null) {
      return [];
    }
    const chunkIndex = integer(payload.chunk_index);
    return {
      head,
      // Every point of ours has it; -1 shows one that was damaged.
      parentIndex: Number(integer(payload.parent_idx) ?? -1),
      chunkIndex: chunkIndex === null ? null : Number(chunkIndex),
      text: typeof payload.text === 'string' ? payload.text : '',
      jobId: typeof payload.job_id === 'string' ? payload.job_id : null,
      hasDense: dense.has(id),
      hasSparse: sparse.has(id),
      isIntact: pointHash(payload, copiedColumns) === payload.point_hash,
    };
  });
}

async function scroll(
  send: Send,
  collection: string,
  filter: Schemas['Filter'],
  selected: Selected,
  signal: AbortSignal,
): Promise<Schemas['Record'][]> {
  const points: Schemas['Record'][] = [];
  let offset: Schemas['ExtendedPointId'] | undefined;
  do {
    const page = await send(signal, (api, init) =>
      api.scrollPoints(
        { collection_name: collection, filter, limit: RECORD_PAGE, with_vector: false, ...selected, offset },
        init,
      ),
    );
    points.push(...page.points);
    offset = (page.next_page_offset as Schemas['ExtendedPointId'] | null | undefined) ?? undefined;
  } while (offset !== undefined);
  return points;
}
