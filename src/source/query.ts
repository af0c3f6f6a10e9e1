import { Fault } from '../errors.ts';
import { filterProblem } from './filter.ts';
import { quoteIdentifier } from './identifier.ts';
import type { IdRange, TableSpec } from './source.ts';

/** Content above this many bytes, as stored, is not read: the record is refused. */
export const MAX_CONTENT_BYTES = 16 * 1024 * 1024;

/** The smallest id; a range that begins before it has no lower end in SQL. */
export const SMALLEST_ID = -(2n ** 63n);

/** The largest id that a range can name; a range that reaches it has no upper end in SQL. */
export const LARGEST_ID = 2n ** 63n - 1n;

/*
 * Ids are written into the text as decimal literals, never bound: a Number rounds them, a string makes MySQL compare
 * some integer types as doubles, and binding would replace question marks inside the filter. A bigint holds digits
 * only, so there is nothing to escape.
 */

/** Up to `limit` ids of the range, ascending. */
export function idsQuery(table: TableSpec, range: IdRange, limit: number): string {
  const id = quoteIdentifier(table.idColumn);
  return `SELECT ${id} FROM ${tableName(table)} WHERE ${inRange(table, range)} ORDER BY ${id} LIMIT ${whole(limit)}`;
}

/** How many rows the range holds. */
export function countQuery(table: TableSpec, range: IdRange): string {
  return `SELECT COUNT(*) FROM ${tableName(table)} WHERE ${inRange(table, range)}`;
}

/** Id and sizes of the content columns, in their order, of up to `limit` rows of the range, ascending. */
export function sizesQuery(table: TableSpec, range: IdRange, limit: number): string {
  const id = quoteIdentifier(table.idColumn);
  const columns = [id, ...contentOf(table).map(sizeOf)];
  return `SELECT ${columns.join(', ')} FROM ${tableName(table)} WHERE ${inRange(table, range)} ORDER BY ${id} LIMIT ${whole(limit)}`;
}

/** Finds a row of the filtered table whose id is NULL, which no page would ever hold. */
export function nullIdQuery(table: TableSpec): string {
  const conditions = [`${quoteIdentifier(table.idColumn)} IS NULL`, ...filterOf(table)];
  return `SELECT 1 FROM ${tableName(table)} WHERE ${conditions.join(' AND ')} LIMIT 1`;
}

/** Position of the columns in the result of {@link rowsQuery}: of sizes, contents and copied columns, the first. */
export function rowLayout({ contentColumns: { length } }: TableSpec) {
  return { id: 0, tenant: 1, sizes: 2, contents: 2 + length, copied: 2 + 2 * length } as const;
}

/**
 * The rows with these ids (ascending, at least one), if they still pass the filter. The sizes are taken again, since a
 * row may have grown: oversized content never leaves the server.
 */
export function rowsQuery(table: TableSpec, ids: readonly bigint[]): string {
  const id = quoteIdentifier(table.idColumn);
  const contents = contentOf(table);
  const sizes = contents.map(sizeOf);
  const total = sizes.length === 1 ? sizes[0] : sizes.map((size) => `COALESCE(${size}, 0)`).join(' + ');
  const columns = [
    id,
    table.tenantColumn === null ? 'NULL' : quoteIdentifier(table.tenantColumn),
    ...sizes,
    ...contents.map((content) => `CASE WHEN ${total} <= ${MAX_CONTENT_BYTES} THEN ${content} END`),
    ...table.payloadColumns.map(quoteIdentifier),
  ];
  const conditions = [
    `${id} >= ${ids[0]}`,
    `${id} <= ${ids.at(-1)}`,
    `${id} IN (${ids.join(',')})`,
    ...filterOf(table),
  ];
  return `SELECT ${columns.join(', ')} FROM ${tableName(table)} WHERE ${conditions.join(' AND ')} ORDER BY ${id}`;
}

/** Which of the ids (at least one) the unfiltered table has. */
export function existingQuery(table: TableSpec, ids: readonly bigint[]): string {
  const id = quoteIdentifier(table.idColumn);
  return `SELECT ${id} FROM ${tableName(table)} WHERE ${id} IN (${ids.join(',')})`;
}

/** The table's full name, quoted. */
export function tableName(table: TableSpec): string {
  return `${quoteIdentifier(table.database)}.${quoteIdentifier(table.table)}`;
}

/** Plain comparisons with the bare column: the server answers them by a range scan of its index. */
function inRange(table: TableSpec, range: IdRange): string {
  const id = quoteIdentifier(table.idColumn);
  const conditions = [
    // A bound outside the column's type would cost the index.
    ...(range.after < SMALLEST_ID ? [] : [`${id} > ${range.after}`]),
    // Without an upper end, an unsigned id that is too large comes to light instead of being left out in silence.
    ...(range.upTo === LARGEST_ID ? [] : [`${id} <= ${range.upTo}`]),
    ...filterOf(table),
  ];
  return conditions.length === 0 ? 'TRUE' : conditions.join(' AND ');
}

/** The content columns, quoted; at least one. */
function contentOf(table: TableSpec): string[] {
  if (table.contentColumns.length === 0)
    throw new Fault('source_misconfigured', 'MYSQL_CONTENT_COLUMN: expected at least one column');
  return table.contentColumns.map(quoteIdentifier);
}

/** Bytes as stored; NULL of NULL. */
function sizeOf(column: string): string {
  return `OCTET_LENGTH(${column})`;
}

/**
 * The filter as a list of no condition or one.
 *
 * @throws Fault `source_misconfigured` if it could leave its parentheses
 */
export function filterOf(table: TableSpec): string[] {
  if (table.filter === null) return [];
  const problem = filterProblem(table.filter);
  if (problem !== null) throw new Fault('source_misconfigured', `MYSQL_FILTER ${problem}`);
  return [`(${table.filter})`];
}

function whole(count: number): string {
  if (!Number.isSafeInteger(count) || count < 1)
    throw new RangeError(`expected a count of at least 1, not ${count}`);
  return String(count);
}
