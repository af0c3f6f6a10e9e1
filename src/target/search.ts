import type { Schemas } from '@qdrant/js-client-rest';
import { recordedOrigin } from './collection-schema.ts';
import type { Send } from './connection.ts';
import { copiedValues, DENSE, integer, payloadPath, SPARSE, type Payload } from './payload.ts';
import { DEFAULT_BM25 } from './settings.ts';
import type { Bm25Options, ParentHit, PointOwner, SearchHit, SearchQuery } from './target.ts';

/** How many candidates each of the two searches gives to the fusion, at least. */
const MIN_CANDIDATES = 50;
/** Children shown of a parent. */
const CHILDREN_PER_PARENT = 3;
/** What a {@link SearchHit} needs of a payload, besides the copied columns. */
const HIT_KEYS = ['summary_id', 'member_code', 'parent_idx', 'chunk_index', 'text'];

type Ranking = Pick<Schemas['QueryRequest'], 'prefetch' | 'query' | 'using' | 'filter'>;

/** Contract: {@link Target.search}. */
export async function search(
  send: Send,
  owner: PointOwner,
  query: SearchQuery,
  signal: AbortSignal,
): Promise<SearchHit[]> {
  const ranked = ranking(owner, query, query.limit, await bm25Of(send, owner.collection, signal));
  const { points } = await send(signal, (api, init) =>
    api.queryPoints(
      { collection_name: owner.collection, ...ranked, limit: query.limit, with_payload: hitPaths(query) },
      init,
    ),
  );
  return points.flatMap((point) => hit(point, query) ?? []);
}

/** Contract: {@link Target.searchParents}. */
export async function searchParents(
  send: Send,
  owner: PointOwner,
  query: SearchQuery,
  signal: AbortSignal,
): Promise<ParentHit[]> {
  const candidates = query.limit * CHILDREN_PER_PARENT;
  const ranked = ranking(owner, query, candidates, await bm25Of(send, owner.collection, signal));
  const { groups } = await send(signal, (api, init) =>
    api.queryPointsGroups(
      {
        collection_name: owner.collection,
        ...ranked,
        group_by: 'parent_id',
        group_size: CHILDREN_PER_PARENT,
        limit: query.limit,
        with_payload: hitPaths(query),
        with_lookup: { collection: owner.collection, with_payload: hitPaths(query), with_vectors: false },
      },
      init,
    ),
  );
  return groups.flatMap(({ id, hits, lookup }) => {
    const children = hits.flatMap((point) => hit(point, query) ?? []);
    const parent = place(record(lookup)?.payload ?? null, query);
    // Without its point a parent has no text: the record is being changed, or damaged, and reconcile mends it.
    return parent === null || children[0] === undefined
      ? []
      : { id: String(id), score: children[0].score, ...parent, children };
  });
}

/** Searches have to make words as the points did. */
async function bm25Of(send: Send, collection: string, signal: AbortSignal): Promise<Bm25Options> {
  const info = await send(signal, (api, init) => api.getCollection({ collection_name: collection }, init));
  return { ...DEFAULT_BM25, ...recordedOrigin(info)?.bm25 };
}

/** One search, or the fusion of two, over the owner's children. */
function ranking(owner: PointOwner, query: SearchQuery, limit: number, bm25: Bm25Options): Ranking {
  const filter = {
    must: [
      { key: 'source', match: { value: owner.source } },
      { key: 'type', match: { value: 'child' } },
      ...(query.tenant === null ? [] : [{ key: 'member_code', match: { value: query.tenant } }]),
    ],
  };
  const sparse: Ranking[] =
    query.text === null
      ? []
      : [
          {
            query: { text: query.text, model: 'qdrant/bm25', options: { ...bm25 } },
            using: SPARSE,
            filter,
          },
        ];
  const dense: Ranking[] =
    query.vector === null ? [] : [{ query: Array.from(query.vector), using: DENSE, filter }];
  const [first, second] = [...sparse, ...dense];
  if (first === undefined) {
    throw new TypeError('a search needs a text, a vector, or both');
  }
  if (second === undefined) {
    return first;
  }
  const candidates = Math.max(MIN_CANDIDATES, limit);
  return {
    prefetch: [
      { ...first, limit: candidates },
      { ...second, limit: candidates },
    ],
    query: { fusion: 'rrf' },
  };
}

function hitPaths({ copiedColumns = [] }: SearchQuery): string[] {
  return [...HIT_KEYS, ...copiedColumns].map(payloadPath);
}

function hit({ id, score, payload }: Schemas['ScoredPoint'], query: SearchQuery): SearchHit | null {
  const at = place(payload ?? null, query);
  const chunkIndex = integer(payload?.chunk_index);
  return at === null || chunkIndex === null
    ? null
    : { id: String(id), score, ...at, chunkIndex: Number(chunkIndex) };
}

/** @returns where a payload belongs and what it says, or null if it is not one of ours */
function place(
  payload: unknown,
  { copiedColumns = [] }: SearchQuery,
): Omit<ParentHit, 'id' | 'score' | 'children'> | null {
  const values: Payload = record(payload) ?? {};
  const recordId = integer(values.summary_id);
  const parentIndex = integer(values.parent_idx);
  const { text, member_code } = values;
  return recordId === null || parentIndex === null || typeof text !== 'string'
    ? null
    : {
        recordId,
        tenant: typeof member_code === 'string' ? member_code : null,
        parentIndex: Number(parentIndex),
        text,
        copied: copiedValues(values, copiedColumns),
      };
}

function record(value: unknown): Payload | null {
  return typeof value === 'object' && value !== null ? (value as Payload) : null;
}
