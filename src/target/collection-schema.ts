import type { Schemas } from '@qdrant/js-client-rest';
import { DENSE, SPARSE } from './payload.ts';
import type { Bm25Options, CollectionSpec } from './target.ts';

/** Key of the collection's metadata under which we keep what its points are made with. */
const METADATA_KEY = 'vector_ferry';

type IndexSchema = Schemas['KeywordIndexParams'] | Schemas['IntegerIndexParams'] | Schemas['UuidIndexParams'];

/**
 * Payload indexes. HNSW links are built only for fields by which searches are filtered; by the others points are
 * looked up or counted.
 */
export const INDEXES: Readonly<Record<string, IndexSchema>> = {
  source: { type: 'keyword' },
  member_code: { type: 'keyword', is_tenant: true },
  summary_id: { type: 'integer', lookup: true, range: true, enable_hnsw: false },
  collection_ids: { type: 'integer', lookup: true, range: false },
  type: { type: 'keyword' },
  // Where strict mode forbids unindexed filters, as in Qdrant Cloud, it also forbids groups by an unindexed field.
  parent_id: { type: 'uuid', on_disk: true, enable_hnsw: false },
  checksum: { type: 'keyword', on_disk: true, enable_hnsw: false },
  job_id: { type: 'keyword', on_disk: true, enable_hnsw: false },
};

/** Types of indexes besides our own with which a field serves as well; one that somebody made by hand may stay. */
const FITTING: Readonly<Record<string, readonly string[]>> = { parent_id: ['keyword'] };

/** What all points of a collection have in common and nothing but its metadata tells. */
export interface Origin {
  readonly model: string;
  readonly dimensions: number;
  readonly bm25: Bm25Options;
}

/** The metadata of a collection for `spec`. */
export function metadata(spec: CollectionSpec): Record<string, Origin> {
  const { model, dimensions, bm25 } = spec;
  return { [METADATA_KEY]: { model, dimensions, bm25 } };
}

/** @returns what the collection says its points are made with, as far as it does, or null if it has no such entry */
export function recordedOrigin(info: Schemas['CollectionInfo']): Partial<Origin> | null {
  return record(record(info.config.metadata)?.[METADATA_KEY]);
}

/** The body that creates a collection for `spec`. */
export function definition(spec: CollectionSpec): Schemas['CreateCollection'] {
  return {
    vectors: {
      [DENSE]: {
        size: spec.dimensions,
        distance: 'Cosine',
        on_disk: true,
        hnsw_config: { m: 16, ef_construct: 100 },
        ...(spec.binaryQuantization ? { quantization_config: { binary: { always_ram: true } } } : {}),
      },
    },
    sparse_vectors: { [SPARSE]: { modifier: 'idf', index: { on_disk: true } } },
    metadata: metadata(spec),
  };
}

/** @returns the payload indexes that the collection lacks */
export function missingIndexes(info: Schemas['CollectionInfo']): [field: string, schema: IndexSchema][] {
  return Object.entries(INDEXES).filter(([field]) => info.payload_schema[field] === undefined);
}

/** @returns whether an index on a payload field keeps the points of a tenant together */
export function hasTenants(index: Schemas['PayloadIndexInfo']): boolean {
  return record(index.params)?.is_tenant === true;
}

/** A way in which a collection cannot hold the points of a job. */
export interface Difference {
  readonly phrase: string;
  /** Whether it is one of the vectors themselves, so that those of the job's model cannot be searched with. */
  readonly ofVectors: boolean;
}

/** @returns each way in which the collection cannot hold the points of `spec`; empty if it can */
export function differences(info: Schemas['CollectionInfo'], spec: CollectionSpec): Difference[] {
  const found: Difference[] = [];
  const add = (phrase: string, ofVectors: boolean) => found.push({ phrase, ofVectors });
  const compare = (what: string, actual: unknown, expected: unknown, ofVectors = false) => {
    if (actual !== expected) add(`${what} is ${shown(actual)}, expected ${shown(expected)}`, ofVectors);
  };

  const vectors = record(info.config.params.vectors) ?? {};
  const dense = record(vectors[DENSE]);
  if (dense === null) {
    add(`dense vectors are ${vectorNames(vectors)}, expected one named ${DENSE}`, true);
  } else {
    compare(`size of vector ${DENSE}`, dense.size, spec.dimensions, true);
    compare(`distance of vector ${DENSE}`, dense.distance, 'Cosine', true);
    compare(`multivector_config of vector ${DENSE}`, dense.multivector_config ?? null, null, true);
  }

  const sparseVectors = record(info.config.params.sparse_vectors) ?? {};
  const sparse = record(sparseVectors[SPARSE]);
  if (sparse === null) {
    add(`sparse vectors are ${listed(Object.keys(sparseVectors))}, expected one named ${SPARSE}`, true);
  } else {
    compare(`modifier of sparse vector ${SPARSE}`, sparse.modifier ?? null, 'idf');
  }

  const origin = recordedOrigin(info);
  if (origin !== null) {
    compare('embedding model of its points', origin.model, spec.model, true);
    compare('dimensions in its metadata', origin.dimensions, spec.dimensions, true);
    const recorded = record(origin.bm25) ?? {};
    for (const [option, expected] of Object.entries(spec.bm25)) {
      compare(`BM25 option ${option}`, recorded[option], expected);
    }
  }

  for (const [field, schema] of Object.entries(INDEXES)) {
    const existing = info.payload_schema[field];
    if (existing !== undefined && !FITTING[field]?.includes(existing.data_type)) {
      compare(`type of payload index ${field}`, existing.data_type, schema.type);
    }
  }
  return found;
}

function vectorNames(vectors: Record<string, unknown>): string {
  // A single unnamed vector shows its parameters where others have names.
  return typeof vectors.size === 'number' ? 'a single unnamed one' : listed(Object.keys(vectors));
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}

function shown(value: unknown): string {
  return value === undefined || value === null
    ? 'missing'
    : typeof value === 'string'
      ? value
      : JSON.stringify(value);
}

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : null;
}
