import type { EmbeddingModel, Vector } from '../embedding/embedder.ts';
import type { IdRange, PayloadValue } from '../source/source.ts';

/** Options of Qdrant's own BM25, fixed for a collection at its creation (names as in its REST interface). */
export interface Bm25Options {
  readonly tokenizer: 'word' | 'whitespace' | 'prefix' | 'multilingual';
  /** Language of stop words and stemmer, in English: `english`, `german`, … or `none`. */
  readonly language: string;
  readonly k: number;
  readonly b: number;
  /** Expected mean length of a child in tokens; a setting, never measured again. */
  readonly avg_len: number;
}

/** What a job asks of its collection. */
export interface CollectionSpec extends EmbeddingModel {
  /** The name as asked: an alias or a collection. */
  readonly name: string;
  readonly bm25: Bm25Options;
  /** Binary quantization of the dense vectors, for new collections only. */
  readonly binaryQuantization: boolean;
}

/** A collection that is ready for writes. */
export interface PreparedCollection {
  /** The concrete collection behind the name; a job writes to this. */
  readonly collection: string;
  /** Sentences for the operator: created, metadata added, foreign points with unknown options. */
  readonly notes: readonly string[];
}

/** What the diff needs to know of a point that exists, read without its text. */
export interface PointHead {
  /** UUID, hyphenated, lower case. */
  readonly id: string;
  readonly recordId: bigint;
  readonly type: 'parent' | 'child';
  /** Null on a point that has lost it. */
  readonly checksum: string | null;
  /** Its vector and text may not belong together: a change was interrupted, or it has no checksum. */
  readonly isUnfinished: boolean;
  readonly pointCount: number | null;
  readonly tenant: string | null;
  readonly copied: Readonly<Record<string, PayloadValue>>;
  /** Associations that another job maintains; inherited by new points of the record. */
  readonly collectionIds: unknown;
}

/** A point as a scan found it. Changes and deletes are conditional on it: what somebody else wrote later stays. */
export type SeenPoint = Pick<PointHead, 'id' | 'checksum'>;

/** Where a scan goes on; only the adapter knows what it means. */
export type ScanCursor = string | number | bigint;

/** Some of the points of a range. */
export interface PointPage {
  readonly heads: readonly PointHead[];
  /** Null on the last page. */
  readonly next: ScanCursor | null;
}

/** A point as it should be. */
export interface Point {
  /** UUIDv5 over source, record id, type, ordinal. */
  readonly id: string;
  readonly recordId: bigint;
  readonly tenant: string | null;
  readonly type: 'parent' | 'child';
  /** The parent's ordinal within its record. */
  readonly parentIndex: number;
  /** The child's ordinal within its record; null on a parent. */
  readonly chunkIndex: number | null;
  /** The parent's point id on a child; null on a parent. */
  readonly parentId: string | null;
  readonly text: string;
  /** Of the record's content and all that shapes its dense vectors; 64 hex digits. */
  readonly checksum: string;
  /** Points of the record, parents and children. */
  readonly pointCount: number;
  readonly copied: Readonly<Record<string, PayloadValue>>;
}

/**
 * One change of one point. `vector` is null on a parent, which carries no vectors; `seen` is the checksum that a scan
 * found on the point. A change that meets another checksum than that, its own or none does nothing, and neither does a
 * creation where a point of the record is by now.
 */
export type PointWrite =
  /** The point does not exist. */
  | {
      readonly action: 'create';
      readonly point: Point;
      readonly vector: ArrayLike<number> | null;
      readonly collectionIds: unknown;
    }
  /** The point exists with another text: its vectors and our own payload keys change, all other keys stay. */
  | {
      readonly action: 'replace';
      readonly point: Point;
      readonly seen: string | null;
      readonly vector: ArrayLike<number> | null;
    }
  /** The point exists with this text and its vectors: only our own payload keys change. */
  | { readonly action: 'describe'; readonly point: Point; readonly seen: string | null };

/** Whose points are meant: the value of payload `source`, `<label>/<table>`. */
export interface PointOwner {
  readonly collection: string;
  readonly source: string;
}

/** What is searched for. With both, the two searches are fused by reciprocal rank; one of them at least is given. */
export interface SearchQuery {
  /** By words (BM25); null: not. */
  readonly text: string | null;
  /** By meaning; null: not. */
  readonly vector: ArrayLike<number> | null;
  readonly limit: number;
  /** Only points of this tenant; null: of all. */
  readonly tenant: string | null;
  /** What hits carry of a record besides its text. @default none */
  readonly copiedColumns?: readonly string[];
}

/** A child that was found. */
export interface SearchHit {
  /** UUID of the point. */
  readonly id: string;
  readonly score: number;
  readonly recordId: bigint;
  readonly tenant: string | null;
  readonly parentIndex: number;
  readonly chunkIndex: number;
  readonly text: string;
  readonly copied: Readonly<Record<string, PayloadValue>>;
}

/** A parent, found by its children. */
export interface ParentHit {
  /** UUID of the parent's point. */
  readonly id: string;
  /** Of its best child. */
  readonly score: number;
  readonly recordId: bigint;
  readonly tenant: string | null;
  readonly parentIndex: number;
  readonly text: string;
  readonly copied: Readonly<Record<string, PayloadValue>>;
  /** Best first. */
  readonly children: readonly SearchHit[];
}

/** A point of one record, as it is stored. */
export interface StoredPoint {
  readonly head: PointHead;
  readonly parentIndex: number;
  readonly chunkIndex: number | null;
  readonly text: string;
  readonly jobId: string | null;
  readonly hasDense: boolean;
  readonly hasSparse: boolean;
  /** Whether the payload is as it was written: `point_hash` computed again agrees. */
  readonly isIntact: boolean;
}

/** A limit of the collection's strict mode that the product's requests may meet. */
export interface StrictLimit {
  /** Qdrant's name of the setting, e.g. `max_query_limit`. */
  readonly name: string;
  readonly value: number | boolean;
  /** What the product's requests need of it; 0 or false if they do with any value, or the job alone decides it. */
  readonly needed: number | boolean;
  /** Whether the product's requests would be refused because of it. */
  readonly isTooLow: boolean;
}

/** The collection that a job asks for, as it is. */
export interface FoundCollection {
  /** The concrete collection behind the name; null: it would be created. */
  readonly collection: string | null;
  readonly isAlias: boolean;
  /** Each difference between the collection and what the job asks for, a sentence each; empty if there is none. */
  readonly differences: readonly string[];
  /** Those of them (vectors, model, dimensions) with which vectors of the job's model say nothing there. */
  readonly vectorDifferences: readonly string[];
}

/** What Qdrant says of itself and of the collection that a job asks for; nothing is created. */
export interface TargetExamination extends FoundCollection {
  /** E.g. `1.16.2`. */
  readonly version: string;
  /** Whether this version is one that the product supports (1.16 or newer). */
  readonly isSupported: boolean;
  /** Payload indexes that the job would add to the collection; empty without one, which is created with them. */
  readonly missingIndexes: readonly string[];
  /** Whether the collection's metadata records model, dimensions and BM25 options. */
  readonly hasOrigin: boolean;
  /** Points of the collection, about, as Qdrant keeps count. Zero without a collection. */
  readonly size: number;
  /**
   * Points of the source, points of other sources, and points without any (foreign). Null if they could not be counted
   * in time, as in a large collection. Zero without a collection.
   */
  readonly points: { readonly own: number; readonly others: number; readonly foreign: number } | null;
  /** Whether the key may write; null if Qdrant does not say without a collection. */
  readonly canWrite: boolean | null;
  /** Limits of its strict mode: first those that are too low for the product, then all others that it sets. */
  readonly limits: readonly StrictLimit[];
  /** Of the whole server; null if it does not say (a key for one collection may not ask). */
  readonly capacity: { readonly memoryBytes: number; readonly diskBytes: number } | null;
}

/**
 * Keeps points. Writes are acknowledged when they are applied, and each call may be repeated. Errors: {@link Fault}
 * where the adapter can explain them.
 */
export interface Target {
  /**
   * Makes the collection ready, creating it (behind an alias) if nothing of the name exists. Idempotent.
   *
   * @throws Fault `target_incompatible`, naming each difference, before anything is written
   */
  prepare(spec: CollectionSpec, signal: AbortSignal): Promise<PreparedCollection>;
  /**
   * A page of the owner's points whose record id lies in the range, exactly; in no order. Points that are deleted
   * between two pages do not disturb the others.
   *
   * @param cursor the page before's `next`; null for the first page
   */
  scan(
    owner: PointOwner,
    range: IdRange,
    copiedColumns: readonly string[],
    cursor: ScanCursor | null,
    signal: AbortSignal,
  ): Promise<PointPage>;
  /** The texts of points that exist, by point id. */
  texts(collection: string, pointIds: readonly string[], signal: AbortSignal): Promise<Map<string, string>>;
  /** The dense vectors of points that have one, by point id. */
  vectors(collection: string, pointIds: readonly string[], signal: AbortSignal): Promise<Map<string, Vector>>;
  /**
   * Applies changes in order. A crash in between leaves points that a later diff recognises as unfinished.
   *
   * @param jobId UUID of the run, kept in payload `job_id`
   * @param beforeRequest called before each request; if it throws, nothing more is sent
   */
  write(
    owner: PointOwner,
    jobId: string,
    bm25: Bm25Options,
    writes: readonly PointWrite[],
    signal: AbortSignal,
    beforeRequest?: () => Promise<void>,
  ): Promise<void>;
  /**
   * Deletes points that still carry the checksum they were seen with, or none.
   *
   * @param beforeRequest as for {@link write}
   */
  delete(
    collection: string,
    points: readonly SeenPoint[],
    signal: AbortSignal,
    beforeRequest?: () => Promise<void>,
  ): Promise<void>;
  /** Children, best first; BM25 options come from the collection. */
  search(owner: PointOwner, query: SearchQuery, signal: AbortSignal): Promise<SearchHit[]>;
  /** Parents of the children that are found, best first, in one request. @param query.limit parents */
  searchParents(owner: PointOwner, query: SearchQuery, signal: AbortSignal): Promise<ParentHit[]>;
  /** All points of one record, in no order. */
  record(
    owner: PointOwner,
    recordId: bigint,
    copiedColumns: readonly string[],
    signal: AbortSignal,
  ): Promise<StoredPoint[]>;
  /** Finds the collection that a job asks for, in two small requests, whatever its size; nothing is created. */
  find(spec: CollectionSpec, signal: AbortSignal): Promise<FoundCollection>;
  /**
   * Looks at the server and the collection that a job asks for, and changes nothing. Points are counted for a few
   * seconds at most.
   *
   * @param source value of payload `source` of the job's points
   */
  examine(spec: CollectionSpec, source: string, signal: AbortSignal): Promise<TargetExamination>;
}
