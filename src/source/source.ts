/** A table of the source and how its columns map to a record. All names are unquoted; the adapter quotes them. */
export interface TableSpec {
  readonly database: string;
  readonly table: string;
  /** A unique integer column; it orders the table. */
  readonly idColumn: string;
  /** The tenant (`member_code`), or null where the table has none. */
  readonly tenantColumn: string | null;
  readonly contentColumn: string;
  /** Columns copied into every point's payload under their own names. */
  readonly payloadColumns: readonly string[];
  /** A condition in the source's SQL that a row must meet, or null. */
  readonly filter: string | null;
}

/** The record ids in (after, upTo]; ids are 64-bit integers, and `after` may lie before the smallest. */
export interface IdRange {
  readonly after: bigint;
  readonly upTo: bigint;
}

/** A value that survives JSON; 64-bit integers stay bigint. */
export type PayloadValue = string | number | bigint | boolean | null;

/** One row as read, before anything is made of it. */
export interface SourceRow {
  readonly id: bigint;
  readonly tenant: string | null;
  /** Null if the column is NULL or the row is refused (see `refused`). */
  readonly content: string | null;
  /** Why the content was not read; the record then counts as failed. */
  readonly refused: 'content_too_large' | 'content_invalid' | null;
  readonly copied: Readonly<Record<string, PayloadValue>>;
}

/** A page of rows in ascending order of id. */
export interface SourcePage {
  readonly rows: readonly SourceRow[];
  /** The page covers the ids in (after, upTo] of the range asked for; equal to range.upTo when nothing follows. */
  readonly upTo: bigint;
}

/**
 * Reads rows. Every call is one or a few short queries; connections are free again when it returns. Errors: {@link
 * Fault} where the adapter can explain them. A read-only account suffices.
 */
export interface Source {
  /** Up to `limit` ids of the filtered table within the range, ascending. */
  ids(table: TableSpec, range: IdRange, limit: number, signal: AbortSignal): Promise<bigint[]>;
  /** How many rows of the filtered table the range holds. */
  count(table: TableSpec, range: IdRange, signal: AbortSignal): Promise<number>;
  /** The next page of the range: at most `maxRows` rows and `maxBytes` bytes of content (but at least one row). */
  page(
    table: TableSpec,
    range: IdRange,
    bounds: { maxRows: number; maxBytes: number },
    signal: AbortSignal,
  ): Promise<SourcePage>;
  /** Which of `ids` the unfiltered table has. */
  existing(table: TableSpec, ids: readonly bigint[], signal: AbortSignal): Promise<Set<bigint>>;
  close(): Promise<void>;
}
