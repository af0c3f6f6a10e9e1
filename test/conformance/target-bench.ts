import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { QdrantClient, type Schemas } from '@qdrant/js-client-rest';
import { Fault } from '../../src/errors.ts';
import type { IdRange } from '../../src/source/source.ts';
import { createQdrantTarget } from '../../src/target/qdrant.ts';
import { DEFAULT_BM25, type TargetSettings } from '../../src/target/settings.ts';
import type {
  CollectionSpec,
  Point,
  PointHead,
  PointOwner,
  PointPage,
  PointWrite,
  ScanCursor,
  Target,
} from '../../src/target/target.ts';

export const DIMENSIONS = 64;
export const JOB = '0199d7a4-3c1e-7a55-8b1a-2f4c9e0d1a22';
export const EVERYTHING: IdRange = { after: -(2n ** 63n), upTo: 2n ** 63n - 1n };
/** Near 1.8e18 doubles lie 256 apart. */
export const SNOWFLAKE = 1_789_000_000_123_456_789n;
export const { signal } = new AbortController();

/** A target under test, and what a check needs to look behind it. */
export interface TargetBench {
  readonly target: Target;
  /** Straight to the server, whatever the target goes through. */
  readonly raw: QdrantClient;
  readonly settings: TargetSettings;
  /** A collection that does not exist yet; nobody else uses its name. */
  readonly newSpec: () => CollectionSpec;
  /** An owner without points; all share one collection, as tables do. */
  readonly newOwner: () => Promise<PointOwner>;
  /** Removes its collections. */
  readonly close: () => Promise<void>;
}

/**
 * @param settings of the server itself
 * @param through address that the target uses instead, e.g. of a proxy
 */
export function openBench(settings: TargetSettings, through = settings.QDRANT_URL): TargetBench {
  const prefix = `target-${randomUUID().slice(0, 8)}`;
  const target = createQdrantTarget({ ...settings, QDRANT_URL: through });
  const raw = new QdrantClient({
    url: settings.QDRANT_URL,
    headers: {
      'accept-encoding': 'identity',
      ...(settings.QDRANT_API_KEY === undefined ? {} : { 'api-key': settings.QDRANT_API_KEY }),
    },
    checkCompatibility: false,
  });
  const newSpec = (): CollectionSpec => ({
    name: `${prefix}-${randomUUID().slice(0, 8)}`,
    model: 'test-embedding',
    dimensions: DIMENSIONS,
    bm25: DEFAULT_BM25,
    binaryQuantization: false,
  });
  let shared: Promise<{ collection: string }> | undefined;
  return {
    target,
    raw,
    settings,
    newSpec,
    async newOwner() {
      shared ??= target.prepare(newSpec(), signal);
      return { collection: (await shared).collection, source: `crm/${randomUUID()}` };
    },
    async close() {
      for (const { name } of (await raw.getCollections()).collections) {
        if (name.startsWith(prefix)) await raw.deleteCollection(name);
      }
    },
  };
}

export function parent(recordId: bigint): Point {
  return {
    id: randomUUID(),
    recordId,
    tenant: null,
    type: 'parent',
    parentIndex: 0,
    chunkIndex: null,
    parentId: null,
    text: `parent ${recordId}`,
    checksum: 'c'.repeat(64),
    pointCount: 1,
    copied: {},
  };
}

/** A record of one parent and one child, with a copied column. */
export function family(recordId: bigint): { parent: Point; child: Point; vector: number[] } {
  const father: Point = { ...parent(recordId), pointCount: 2, tenant: 'M-1', copied: { title: 'Q3' } };
  const child: Point = {
    ...father,
    id: randomUUID(),
    type: 'child',
    chunkIndex: 0,
    parentId: father.id,
    text: `alpha child ${recordId}`,
  };
  return { parent: father, child, vector: unitVector() };
}

/** As an embedding service gives it: of length 1, in 32-bit floats. */
export function unitVector(): number[] {
  const values = Array.from({ length: DIMENSIONS }, () => Math.random() - 0.5);
  const length = Math.hypot(...values);
  return values.map((value) => Math.fround(value / length));
}

/** Writes that create points, a vector for each child. */
export function creations(
  points: readonly Point[],
  vectors: ReadonlyMap<Point, readonly number[]> = new Map(),
  collectionIds: unknown = null,
): PointWrite[] {
  return points.map((point) => ({
    action: 'create',
    point,
    vector: point.type === 'parent' ? null : (vectors.get(point) ?? unitVector()),
    collectionIds,
  }));
}

export async function write(
  { target }: Pick<TargetBench, 'target'>,
  owner: PointOwner,
  writes: readonly PointWrite[],
): Promise<void> {
  await target.write(owner, JOB, DEFAULT_BM25, writes, signal);
}

/** All pages of a scan. */
export async function scanAll(
  { target }: Pick<TargetBench, 'target'>,
  owner: PointOwner,
  range: IdRange = EVERYTHING,
  copiedColumns: readonly string[] = [],
): Promise<PointHead[]> {
  const heads: PointHead[] = [];
  let cursor: ScanCursor | null = null;
  do {
    const page: PointPage = await target.scan(owner, range, copiedColumns, cursor, signal);
    heads.push(...page.heads);
    cursor = page.next;
  } while (cursor !== null);
  return heads;
}

/** Points as the server has them, in the order asked for. */
export async function retrieve(
  { raw }: Pick<TargetBench, 'raw'>,
  owner: PointOwner,
  points: readonly Point[],
): Promise<Schemas['Record'][]> {
  const ids = points.map(({ id }) => id);
  const records = await raw.retrieve(owner.collection, { ids, with_payload: true, with_vector: true });
  return ids.map((id) => {
    const found = records.find((record) => record.id === id);
    assert.ok(found, `point ${id} does not exist`);
    return found;
  });
}

export async function rejectsWith(code: string, promise: Promise<unknown>): Promise<Fault> {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof Fault, `expected ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

/** What nobody may change who only looks; a server may optimize its segments at any time. */
export async function settled({ raw }: Pick<TargetBench, 'raw'>, name: string): Promise<unknown> {
  const { config, payload_schema, points_count } = await raw.getCollection(name);
  return { config, payload_schema, points_count };
}

export function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
