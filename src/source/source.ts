/** A table of the source and how its columns map to a record. All names are unquoted; the adapter quotes them. */
export interface TableSpec {
  readonly database: string;
  readonly table: string;
  /** A unique integer column; it orders the table. */
  readonly idColumn: string;
  /** The tenant (`member_code`), or null where the table has none. */
  readonly tenantColumn: string | null;
  /** At least one; the text to embed is made of them. */
  readonly contentColumns: readonly string[];
  /**
   * How several content columns become one text: `{column}` stands for a column's text. Null: their texts joined by a
   * blank line, without those that are NULL or blank.
   */
  readonly contentTemplate: string | null;
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
  /**
   * Set on an empty page that covers nothing: the bytes of the row that follows, more than `deferAbove`. It is read by
   * a call without that bound.
   */
  readonly deferredBytes?: number;
}

/** What a page may hold. */
export interface PageBounds {
  readonly maxRows: number;
  /** Bytes of content, as stored; the first row may have more. */
  readonly maxBytes: number;
  /** Bytes of content up to which the first row is read; a larger one is only told of. @default any row is read */
  readonly deferAbove?: number;
}

/** A column of the table, as the server describes it. */
export interface ColumnDescription {
  /** As the table's specification spells it; the server knows no case. */
  readonly name: string;
  /** As the server writes it, e.g. `bigint(20) unsigned`. */
  readonly type: string;
  readonly isNullable: boolean;
  /** Null on a column that holds no text. */
  readonly collation: string | null;
}

/** What the server says of itself and of a table, before anything is migrated. */
export interface SourceExamination {
  /** E.g. `MariaDB 10.11.6`, `MySQL 8.0.36`. */
  readonly server: string;
  /** Whether this version is one that the product supports. */
  readonly isSupported: boolean;
  readonly isEncrypted: boolean;
  /** Whether the server is on this machine: reached by a loopback address. */
  readonly isLocal: boolean;
  /** Most rows of content a second that are read here; null: no limit. */
  readonly rowsPerSecond: number | null;
  /** Whether the account may write anywhere; null if the server does not say. A read-only account suffices. */
  readonly canWrite: boolean | null;
  readonly relation: 'table' | 'view';
  /** The columns that the table's specification names and that exist. */
  readonly columns: readonly ColumnDescription[];
  /** Names that it names and that do not exist. */
  readonly missingColumns: readonly string[];
  /** What keeps the id column's values apart. */
  readonly idIndex: 'unique' | 'ordinary' | 'none';
  /** Whether rows of the filtered table have NULL as id: they can be read by nobody. Null if not found out in time. */
  readonly hasNullIds: boolean | null;
  /** Of the filtered table. Null if it was not found out in time. */
  readonly hasDuplicateIds: boolean | null;
  /**
   * Of the filtered table; null if it has no rows, if they are no integers, or if it was not found out in time. The
   * largest may lie beyond a signed 64-bit integer.
   */
  readonly smallestId: bigint | null;
  readonly largestId: bigint | null;
  /** Rows of the filtered table; null if they could not be counted in time. */
  readonly rows: number | null;
}

/** A record and the size of its content, which was not read. */
export interface ContentSize {
  readonly id: bigint;
  /** Bytes, as stored, of all content columns together; null if all of them are NULL. */
  readonly bytes: number | null;
}

/**
 * Reads rows. Every call is one or a few short queries; connections are free again when it returns. Errors: {@link
 * Fault} where the adapter can explain them. A read-only account suffices. Nothing is left out in silence: ids that are
 * repeated, beyond a signed 64-bit integer or no integers are refused wherever they are met, and NULL ids by `ids` and
 * `page` where a range begins below all ids (`source_misconfigured`).
 */
export interface Source {
  /** Up to `limit` ids of the filtered table within the range, ascending. */
  ids(table: TableSpec, range: IdRange, limit: number, signal: AbortSignal): Promise<bigint[]>;
  /** How many rows of the filtered table the range holds. */
  count(table: TableSpec, range: IdRange, signal: AbortSignal): Promise<number>;
  /**
   * The next page of the range: at most `maxRows` rows and `maxBytes` bytes of content (but at least one row). It may
   * hold fewer, and wait for some seconds first, where the source is to be spared.
   */
  page(table: TableSpec, range: IdRange, bounds: PageBounds, signal: AbortSignal): Promise<SourcePage>;
  /** Which of `ids` the unfiltered table has. */
  existing(table: TableSpec, ids: readonly bigint[], signal: AbortSignal): Promise<Set<bigint>>;
  /** Up to `limit` sizes of the filtered table within the range, ascending by id. */
  sizes(table: TableSpec, range: IdRange, limit: number, signal: AbortSignal): Promise<ContentSize[]>;
  /**
   * Describes server and table, also where a job could not run on them. What takes long on a large table is given up
   * after a few seconds each.
   *
   * @throws Fault if the server does not answer, refuses, or has no such table
   */
  examine(table: TableSpec, signal: AbortSignal): Promise<SourceExamination>;
  close(): Promise<void>;
}
