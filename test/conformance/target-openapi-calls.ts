import type { Answer } from './target-openapi-types.ts';

/** A request to the route of an OpenAPI description; `path` fills its placeholders in. */
interface Call {
  readonly method: string;
  readonly route: string;
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: unknown;
  readonly status?: number;
}

const ID = '00000000-0000-5000-8000-000000000001';
const PARENT = '00000000-0000-5000-8000-000000000002';
const NORTH = [1, 0, 0, 0];
const document = (text: string) => ({ text, model: 'qdrant/bm25', options: { tokenizer: 'multilingual' } });
const vector = { child: NORTH, 'child-sparse': document('ferry') };
const payload = { text: 'ferry', n: 1, parent_id: PARENT, inner: [{ a: null }], big: 2 ** 40 };
const point = { id: ID, vector, payload };

const COLLECTION = '/collections/{collection_name}';
const POINTS = `${COLLECTION}/points`;
const ranked = { query: NORTH, using: 'child', limit: 2 };
const fused = {
  prefetch: [ranked, { query: document('ferry'), using: 'child-sparse', limit: 2 }],
  query: { fusion: 'rrf' },
};

const INDEXES: Readonly<Record<string, unknown>> = {
  plain: 'keyword',
  tenant: { type: 'keyword', is_tenant: true, on_disk: true, enable_hnsw: false },
  n: { type: 'integer', lookup: true, range: true, on_disk: true },
  ratio: { type: 'float' },
  flag: 'bool',
  at: { type: 'datetime', on_disk: true },
  parent_id: { type: 'uuid', enable_hnsw: false },
  note: { type: 'text', tokenizer: 'multilingual', lowercase: true, min_token_len: 2, phrase_matching: true },
};

/** Collections of every kind that `GET` shows differently. */
const COLLECTIONS: Readonly<Record<string, object>> = {
  memos: {
    vectors: {
      child: {
        size: 4,
        distance: 'Cosine',
        on_disk: true,
        hnsw_config: { m: 16, ef_construct: 100 },
        quantization_config: { binary: { always_ram: true } },
      },
    },
    sparse_vectors: { 'child-sparse': { modifier: 'idf', index: { on_disk: true } } },
    metadata: { vector_ferry: { model: 'm', dimensions: 4 } },
  },
  unnamed: { vectors: { size: 4, distance: 'Dot' } },
  settled: {
    vectors: { child: { size: 4, distance: 'Cosine', datatype: 'float16' } },
    quantization_config: { scalar: { type: 'int8', quantile: 0.99, always_ram: true } },
    optimizers_config: { indexing_threshold: 0, max_optimization_threads: 1 },
    wal_config: { wal_capacity_mb: 64 },
    strict_mode_config: { enabled: true, max_query_limit: 100, search_allow_exact: true },
  },
};

const memos = { collection_name: 'memos' };

const CALLS: readonly Call[] = [
  { method: 'GET', route: '/' },
  { method: 'GET', route: '/telemetry' },
  { method: 'GET', route: '/telemetry', query: 'details_level=1' },
  ...Object.entries(COLLECTIONS).flatMap(([collection_name, body]): Call[] => [
    { method: 'PUT', route: COLLECTION, path: { collection_name }, body },
    { method: 'GET', route: COLLECTION, path: { collection_name } },
  ]),
  ...Object.entries(INDEXES).map(([field_name, field_schema]): Call => ({
    method: 'PUT',
    route: `${COLLECTION}/index`,
    path: memos,
    query: 'wait=true',
    body: { field_name, field_schema },
  })),
  { method: 'PATCH', route: COLLECTION, path: memos, body: { strict_mode_config: { enabled: false } } },
  { method: 'GET', route: '/collections' },
  { method: 'GET', route: `${COLLECTION}/exists`, path: memos },
  {
    method: 'POST',
    route: '/collections/aliases',
    body: { actions: [{ create_alias: { alias_name: 'current', collection_name: 'memos' } }] },
  },
  { method: 'GET', route: '/aliases' },
  { method: 'GET', route: `${COLLECTION}/aliases`, path: memos },

  { method: 'PUT', route: POINTS, path: memos, query: 'wait=true', body: { points: [point] } },
  { method: 'PUT', route: POINTS, path: memos, body: { points: [{ ...point, id: 7 }] } },
  {
    method: 'PUT',
    route: POINTS,
    path: memos,
    query: 'wait=true',
    body: { points: [{ id: PARENT, vector: {}, payload: { text: 'parent' } }] },
  },
  { method: 'GET', route: COLLECTION, path: memos },
  {
    method: 'POST',
    route: `${POINTS}/batch`,
    path: memos,
    query: 'wait=true',
    body: {
      operations: [
        { set_payload: { points: [ID], payload: { likes: 3 } } },
        { update_vectors: { points: [{ id: ID, vector }] } },
      ],
    },
  },
  { method: 'POST', route: `${POINTS}/payload`, path: memos, body: { points: [7], payload: { a: 1 } } },
  { method: 'PUT', route: `${POINTS}/payload`, path: memos, body: { points: [7], payload: { n: 1 } } },
  { method: 'POST', route: `${POINTS}/payload/delete`, path: memos, body: { points: [7], keys: ['n'] } },
  { method: 'POST', route: `${POINTS}/payload/clear`, path: memos, body: { points: [7] } },
  { method: 'PUT', route: `${POINTS}/vectors`, path: memos, body: { points: [{ id: 7, vector }] } },
  {
    method: 'POST',
    route: `${POINTS}/vectors/delete`,
    path: memos,
    body: { points: [7], vector: ['child'] },
  },

  { method: 'GET', route: `${POINTS}/{id}`, path: { ...memos, id: ID } },
  { method: 'POST', route: POINTS, path: memos, body: { ids: [ID, 7, PARENT], with_vector: true } },
  { method: 'POST', route: `${POINTS}/scroll`, path: memos, body: { limit: 1, with_vector: true } },
  { method: 'POST', route: `${POINTS}/scroll`, path: memos, body: { with_payload: false } },
  { method: 'POST', route: `${POINTS}/count`, path: memos, body: { exact: true } },
  { method: 'POST', route: `${POINTS}/query`, path: memos, body: ranked },
  {
    method: 'POST',
    route: `${POINTS}/query`,
    path: memos,
    body: { ...fused, with_payload: true, with_vector: true },
  },
  { method: 'POST', route: `${POINTS}/query/batch`, path: memos, body: { searches: [ranked, fused] } },
  {
    method: 'POST',
    route: `${POINTS}/query/groups`,
    path: memos,
    body: { ...ranked, group_by: 'parent_id' },
  },
  {
    method: 'POST',
    route: `${POINTS}/query/groups`,
    path: memos,
    body: {
      ...fused,
      group_by: 'parent_id',
      with_payload: ['text'],
      with_lookup: { collection: 'memos', with_payload: true, with_vectors: true },
    },
  },
  { method: 'POST', route: `${COLLECTION}/facet`, path: memos, body: { key: 'parent_id', exact: true } },
  { method: 'POST', route: `${POINTS}/delete`, path: memos, query: 'wait=true', body: { points: [7] } },
  { method: 'DELETE', route: `${COLLECTION}/index/{field_name}`, path: { ...memos, field_name: 'flag' } },

  { method: 'POST', route: `${POINTS}/delete`, path: memos, body: { points: [] }, status: 400 },
  { method: 'POST', route: `${POINTS}/scroll`, path: memos, body: { limit: 0 }, status: 422 },
  { method: 'GET', route: COLLECTION, path: { collection_name: 'gone' }, status: 404 },
  { method: 'PUT', route: COLLECTION, path: memos, body: COLLECTIONS['memos'], status: 409 },
  { method: 'DELETE', route: COLLECTION, path: { collection_name: 'unnamed' } },
];

/** Sends every call to an empty server, in order, and keeps what it answers. */
export async function answersOf(url: string): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const { method, route, path = {}, query, body, status = 200 } of CALLS) {
    const filled = route.replaceAll(/\{(\w+)\}/g, (_, name: string) => path[name] ?? '');
    const response = await fetch(`${url}${filled}${query === undefined ? '' : `?${query}`}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.status !== status) throw new Error(`${method} ${filled}: ${response.status} ${text}`);
    answers.push({ method, route, status, text });
  }
  return answers;
}
