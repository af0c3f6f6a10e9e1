import type { Schemas } from '@qdrant/js-client-rest';
import { recordedOrigin } from './collection-schema.ts';
import type { Send } from './connection.ts';
import { DENSE, integer, SPARSE } from './payload.ts';
import { DEFAULT_BM25 } from './settings.ts';
import type { PointOwner, SearchHit, Target } from './target.ts';

/** How many candidates each of the two searches gives to the fusion, at least. */
const MIN_CANDIDATES = 50;

/** Contract: {@link Target.search}. */
export async function search(
  send: Send,
  owner: PointOwner,
  query: Parameters<Target['search']>[1],
  signal: AbortSignal,
): Promise<SearchHit[]> {
  const info = await send(signal, (api, init) =>
    api.getCollection({ collection_name: owner.collection }, init),
  );
  const bm25 = { ...DEFAULT_BM25, ...recordedOrigin(info)?.bm25 };
  const filter = {
    must: [
      { key: 'source', match: { value: owner.source } },
      { key: 'type', match: { value: 'child' } },
      ...(query.tenant === undefined ? [] : [{ key: 'member_code', match: { value: query.tenant } }]),
    ],
  };
  const limit = Math.max(MIN_CANDIDATES, query.limit);
  const prefetch: Schemas['Prefetch'][] = [
    { query: { text: query.text, model: 'qdrant/bm25', options: bm25 }, using: SPARSE, filter, limit },
    ...(query.vector === null ? [] : [{ query: [...query.vector], using: DENSE, filter, limit }]),
  ];
  const { points } = await send(signal, (api, init) =>
    api.queryPoints(
      {
        collection_name: owner.collection,
        prefetch,
        query: { fusion: 'rrf' },
        limit: query.limit,
        with_payload: ['summary_id', 'text'],
      },
      init,
    ),
  );
  return points.flatMap(({ id, score, payload }) => {
    const recordId = integer(payload?.summary_id);
    const text = payload?.text;
    return recordId === null || typeof text !== 'string' ? [] : { id: String(id), score, recordId, text };
  });
}
