import type { EmbeddingModel } from '../embedding/embedder.ts';
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
  /** Null on a point whose vector and text may not belong together (an interrupted change). */
  readonly checksum: string | null;
  readonly pointCount: number | null;
  readonly tenant: string | null;
  readonly copied: Readonly<Record<string, PayloadValue>>;
  /** Associations that another job maintains; inherited by new points of the record. */
  readonly collectionIds: unknown;
}

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

/** One change of one point. `vector` is null on a parent, which carries no vectors. */
export type PointWrite =
  /** The point does not exist. */
  | {
      readonly action: 'create';
      readonly point: Point;
      readonly vector: readonly number[] | null;
      readonly collectionIds: unknown;
    }
  /** The point exists with another text: its vectors and our own payload keys change, all other keys stay. */
  | { readonly action: 'replace'; readonly point: Point; readonly vector: readonly number[] | null }
  /** The point exists with this text and its vectors: only our own payload keys change. */
  | { readonly action: 'describe'; readonly point: Point };

/** Whose points are meant: the value of payload `source`, `<label>/<table>`. */
export interface PointOwner {
  readonly collection: string;
  readonly source: string;
}

/** A search result. */
export interface SearchHit {
  readonly id: string;
  readonly score: number;
  readonly recordId: bigint;
  readonly text: string;
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
  vectors(
    collection: string,
    pointIds: readonly string[],
    signal: AbortSignal,
  ): Promise<Map<string, readonly number[]>>;
  /**
   * Applies changes in order. A crash in between leaves points that a later diff recognises as unfinished.
   *
   * @param jobId UUID of the run, kept in payload `job_id`
   */
  write(
    owner: PointOwner,
    jobId: string,
    bm25: Bm25Options,
    writes: readonly PointWrite[],
    signal: AbortSignal,
  ): Promise<void>;
  delete(collection: string, pointIds: readonly string[], signal: AbortSignal): Promise<void>;
  /** Children found by meaning and by words, fused by reciprocal rank; BM25 options come from the collection. */
  search(
    owner: PointOwner,
    query: { text: string; vector: readonly number[] | null; limit: number; tenant?: string },
    signal: AbortSignal,
  ): Promise<SearchHit[]>;
}
