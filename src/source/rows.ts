import type { FieldPacket } from 'mysql2/promise';
import { Fault } from '../errors.ts';
import { contentJoin, type ContentJoin } from './content.ts';
import type { RawResult } from './pool.ts';
import { LARGEST_ID, MAX_CONTENT_BYTES, rowLayout } from './query.ts';
import type { ContentSize, SourceRow, TableSpec } from './source.ts';
import { decodeCopied, decodeText, isIntegerColumn, requireTextual, textOf } from './values.ts';
import type { RawValue } from './values.ts';

/**
 * The ids of a result's first column. Keyset pages rely on unique integers; what is not would be left out in silence.
 *
 * @throws Fault `source_misconfigured` naming MYSQL_ID_COLUMN
 */
export function idsOf({ rows, columns }: RawResult): bigint[] {
  const column = columns[0];
  if (column === undefined || !isIntegerColumn(column))
    throw new Fault('source_misconfigured', 'MYSQL_ID_COLUMN: expected a column of integers');
  const ids = rows.map(([id]) => {
    if (id === null) throw nullIdFault();
    return BigInt(textOf(id));
  });
  ids.forEach((id, index) => {
    if (id > LARGEST_ID) throw new Fault('source_misconfigured', 'MYSQL_ID_COLUMN: an id is above 2^63 - 1');
    if (id === ids[index - 1])
      throw new Fault(
        'source_misconfigured',
        `MYSQL_ID_COLUMN: the ids are not unique, ${id} occurs more than once`,
      );
  });
  return ids;
}

/** What a row without an id is: pages by key skip it, except where a range has no bounds at all. */
export function nullIdFault(): Fault {
  return new Fault(
    'source_misconfigured',
    'MYSQL_ID_COLUMN: a row has no id (NULL) and could never be read; repair it, or exclude it with MYSQL_FILTER',
  );
}

/** Ids and sizes of a result of ids and the sizes of each content column. */
export function contentSizesOf(result: RawResult): ContentSize[] {
  const ids = idsOf(result);
  return result.rows.map((row, index) => ({ id: ids[index] as bigint, bytes: totalSize(row.slice(1)) }));
}

/** Bytes of a row's content that come over the line: none where it is oversized. */
export function bytesToRead(size: ContentSize | undefined): number {
  const bytes = size?.bytes ?? 0;
  return bytes > MAX_CONTENT_BYTES ? 0 : bytes;
}

/**
 * How many of the rows, from the first on, stay within both bounds: at least one, if there are any.
 */
export function prefixLength(
  sizes: readonly ContentSize[],
  bounds: { maxRows: number; maxBytes: number },
): number {
  let total = 0;
  for (const [index, size] of sizes.entries()) {
    total += bytesToRead(size);
    if (index > 0 && (total > bounds.maxBytes || index >= bounds.maxRows)) return index;
  }
  return sizes.length;
}

/**
 * The rows of a result laid out by {@link rowLayout}.
 *
 * @throws Fault `source_misconfigured` naming the setting whose column cannot be what it should be
 */
export function rowsOf(table: TableSpec, result: RawResult): SourceRow[] {
  const { rows, columns } = result;
  const ids = idsOf(result);
  const layout = rowLayout(table);
  const join = contentJoin(table);
  if (table.tenantColumn !== null)
    requireTextual(columnAt(columns, layout.tenant), 'MYSQL_TENANT_COLUMN', { bytesAllowed: false });
  for (const column of columns.slice(layout.contents, layout.copied))
    requireTextual(column, 'MYSQL_CONTENT_COLUMN', { bytesAllowed: true });
  for (const column of columns.slice(layout.copied))
    requireTextual(column, 'MYSQL_PAYLOAD_COLUMNS', { bytesAllowed: false });
  return rows.map((row, index) => ({
    id: ids[index] as bigint,
    tenant: row[layout.tenant]?.toString('utf8') ?? null,
    ...contentOf(row.slice(layout.sizes, layout.contents), row.slice(layout.contents, layout.copied), join),
    copied: Object.fromEntries(
      table.payloadColumns.map((name, at) => [
        name,
        decodeCopied(columnAt(columns, layout.copied + at), row[layout.copied + at] ?? null),
      ]),
    ),
  }));
}

function contentOf(
  sizes: readonly RawValue[],
  contents: readonly RawValue[],
  join: ContentJoin,
): Pick<SourceRow, 'content' | 'refused'> {
  if ((totalSize(sizes) ?? 0) > MAX_CONTENT_BYTES) return { content: null, refused: 'content_too_large' };
  const texts: (string | null)[] = [];
  for (const [index, raw] of contents.entries()) {
    if (raw === null && sizes[index] !== null) {
      // Never taken for NULL: the record would count as one without content.
      throw new Fault('source_misconfigured', 'the server leaves content out; check its max_allowed_packet');
    }
    const text = raw === null ? null : decodeText(raw);
    if (text === undefined) return { content: null, refused: 'content_invalid' };
    texts.push(text);
  }
  return { content: join(texts), refused: null };
}

/** @returns the sum; null if all are NULL */
function totalSize(sizes: readonly RawValue[]): number | null {
  const known = sizes.filter((size) => size !== null);
  return known.length === 0 ? null : known.reduce((total, size) => total + Number(size.toString()), 0);
}

function columnAt(columns: readonly FieldPacket[], index: number): FieldPacket {
  const column = columns[index];
  if (column === undefined) throw new Error(`the server left out column ${index}`);
  return column;
}
