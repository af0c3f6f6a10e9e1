import type { PlanSize } from './job.ts';
import type { JobSpecification } from './specification.ts';

/*
 * An inquiry answers a question about a job, and changes nothing. It runs as a short workflow on a worker, because that
 * is where the source and Qdrant are reachable, or in the process that asks (`--local`).
 */

/** The questions: workflow types, names of their activities, and what `--local` answers. */
export interface Inquiries {
  readonly preflight: (input: PreflightInput) => Promise<PreflightReport>;
  readonly plan: (input: PlanInput) => Promise<PlanReport>;
  readonly search: (input: SearchInput) => Promise<SearchReport>;
  readonly inspect: (input: InspectInput) => Promise<InspectReport>;
}

/** Name of an inquiry. */
export type Inquiry = keyof Inquiries;

/** Input of `preflight`. */
export interface PreflightInput {
  readonly specification: JobSpecification;
}

/** `warning`: the job can run, but somebody should know. `problem`: it would halt, fail or do harm. */
export type CheckStatus = 'ok' | 'warning' | 'problem';

/** One thing that was looked at. */
export interface Check {
  /** Stable, dotted, e.g. `source.key`; the part before the dot is the service. A row of docs/preflight.md. */
  readonly id: string;
  readonly status: CheckStatus;
  /** One sentence: what was found. Names settings, versions and counts; never secrets or content. */
  readonly message: string;
  /** What to do next, naming the setting; null where nothing has to be done. */
  readonly advice: string | null;
}

/** How many contents there are of a size. */
export interface SizeBucket {
  /** Bytes of UTF-8, as the source stores them: from this (a power of two, or 0) to below the next bucket's. */
  readonly fromBytes: number;
  readonly records: number;
  readonly bytes: number;
}

/** Answer of `preflight`. */
export interface PreflightReport {
  readonly checks: readonly Check[];
  /** Of the records that were looked at, ascending, without empty buckets. */
  readonly sizes: readonly SizeBucket[];
  /** Records that `sizes` counts; fewer than the table has in a large one. */
  readonly sampled: number;
}

/** Input of `plan`. */
export interface PlanInput {
  readonly specification: JobSpecification;
  /** Compares every range with the target instead of estimating from a sample; nothing is written or paid. */
  readonly isExact: boolean;
  /** US dollars for a million tokens; null if no price is known. */
  readonly usdPerMillionTokens: number | null;
}

/** Answer of `plan`: what a job would do. */
export interface PlanReport {
  readonly isExact: boolean;
  readonly size: PlanSize;
  /** Records whose content was read: all of them if exact. */
  readonly sampled: number;
  /** Records without content; estimated unless exact. */
  readonly skipped: number;
  /** Records that are refused before they are embedded (too large, no text); estimated unless exact. */
  readonly refused: number;
  /** Exact only, else null: what the target has already. */
  readonly difference: {
    /** Records that need nothing. */
    readonly unchanged: number;
    /** Records that would be written. */
    readonly changed: number;
    /** Points that would be written or changed, and deleted. */
    readonly pointsWritten: number;
    readonly pointsDeleted: number;
    /** Record ids that have points but no row; deleted with --prune only. */
    readonly orphans: number;
  } | null;
  /** Points of this source that the collection holds already; null if exact, or if Qdrant did not say. */
  readonly ownPoints: number | null;
  /** All points of the table's records when the job is done: parents, and children (dense vectors). */
  readonly parents: number;
  readonly children: number;
  /**
   * Texts to embed, before identical texts are merged, and their cl100k_base tokens. If exact, texts whose vectors the
   * run would take from other points are left out.
   */
  readonly inputs: number;
  readonly tokens: number;
  readonly costUsd: number | null;
  /** What the points need in Qdrant when the job is done, in bytes; estimated. */
  readonly storage: { readonly diskBytes: number; readonly memoryBytes: number };
  /** At the rate that one worker process may take; null where neither settings nor the service's headers say it. */
  readonly pace: {
    readonly requestsPerMinute: number | null;
    readonly tokensPerMinute: number | null;
    readonly requests: number;
    readonly seconds: number;
  } | null;
  readonly recommendedBatchSize: number;
}

/** Input of `search`. */
export interface SearchInput {
  readonly specification: JobSpecification;
  readonly text: string;
  /** `hybrid`: by meaning and by words, fused by reciprocal rank. */
  readonly mode: 'hybrid' | 'dense' | 'sparse';
  readonly limit: number;
  /** Only records of this tenant; null: of all. */
  readonly tenant: string | null;
  /** One hit a parent, with its children that were found. */
  readonly parents: boolean;
}

/** A point that was found; ids are decimal strings. */
export interface Hit {
  /** UUID of the point. */
  readonly id: string;
  readonly score: number;
  readonly recordId: string;
  readonly tenant: string | null;
  readonly parentIndex: number;
  /** Null on a parent. */
  readonly chunkIndex: number | null;
  readonly text: string;
  /** 64-bit integers as decimal text. */
  readonly copied: Readonly<Record<string, unknown>>;
  /** Of a parent, best first; empty otherwise. */
  readonly children: readonly Hit[];
}

/** Answer of `search`. */
export interface SearchReport {
  /** The concrete collection. */
  readonly collection: string;
  /** Best first. */
  readonly hits: readonly Hit[];
}

/** Input of `inspect`. */
export interface InspectInput {
  readonly specification: JobSpecification;
  /** Decimal. */
  readonly recordId: string;
  /** Whether the answer carries texts. */
  readonly withContent: boolean;
}

/** Answer of `inspect`: one record, in the source and in the target. */
export interface InspectReport {
  readonly recordId: string;
  /** The concrete collection; null if there is none yet. */
  readonly collection: string | null;
  /** Null if the filtered table has no such row; `existsUnfiltered` then says whether only the filter hides it. */
  readonly row: {
    readonly tenant: string | null;
    /** Bytes of UTF-8, of refused content as the source stores it; null without content. */
    readonly contentBytes: number | null;
    /** Code of docs/errors.md if the content cannot be read; what the record should become is unknown then. */
    readonly refused: string | null;
    /** 64-bit integers as decimal text; of a long text only the beginning, with `…` after it. */
    readonly copied: Readonly<Record<string, unknown>>;
    /** What the record should become, and the cl100k_base tokens of its children. */
    readonly parents: number;
    readonly children: number;
    readonly tokens: number;
    readonly checksum: string | null;
  } | null;
  readonly existsUnfiltered: boolean;
  /**
   * `exact`; `outdated`: of other content, tenant, columns or count; `missing`; `absent`: none, and none expected;
   * `orphaned`: points without a row; `filtered`: points of a row that only the filter leaves out, so they are kept.
   */
  readonly state: 'exact' | 'outdated' | 'missing' | 'absent' | 'orphaned' | 'filtered';
  /** All points of the record. */
  readonly pointCount: number;
  /** Parents, each before its children; of a record of thousands only the first. */
  readonly points: readonly InspectedPoint[];
}

/** A point of the record that was inspected. */
export interface InspectedPoint {
  readonly id: string;
  readonly type: 'parent' | 'child';
  readonly parentIndex: number;
  readonly chunkIndex: number | null;
  readonly hasDense: boolean;
  readonly hasSparse: boolean;
  /** Whether it carries the row's checksum. */
  readonly isCurrent: boolean;
  /** Whether its payload is as it was written (`point_hash`). */
  readonly isIntact: boolean;
  readonly checksum: string | null;
  readonly jobId: string | null;
  readonly characters: number;
  /** Null unless asked for, and where the texts before it have used up the room of an answer. */
  readonly text: string | null;
}
