import type { FieldPacket } from 'mysql2/promise';
import { Fault } from '../errors.ts';
import { createQueryPool } from './pool.ts';
import type { RawResult } from './pool.ts';
import {
  countQuery,
  existingQuery,
  idsQuery,
  LARGEST_ID,
  MAX_CONTENT_BYTES,
  ROW,
  rowsQuery,
  sizesQuery,
} from './query.ts';
import type { SourceSettings } from './settings.ts';
import type { Source, SourceRow, TableSpec } from './source.ts';
import { decodeCopied, decodeText, isIntegerColumn, requireTextual } from './values.ts';
import type { RawValue } from './values.ts';

/** Ids of one `id IN (…)`. */
const MAX_IDS_PER_QUERY = 1_000;

/**
 * A {@link Source} on MySQL 8 or MariaDB. It connects on first use.
 *
 * @throws InputError if the file of MYSQL_CA cannot be read
 */
export function createMySqlSource(settings: SourceSettings): Source {
  const pool = createQueryPool(settings);
  return {
    async ids(table, range, limit, signal) {
      if (range.after >= range.upTo) return [];
      return idsOf(await pool.query(idsQuery(table, range, limit), signal));
    },

    async count(table, range, signal) {
      if (range.after >= range.upTo) return 0;
      const { rows } = await pool.query(countQuery(table, range), signal);
      return Number(rows[0]?.[0]?.toString());
    },

    async page(table, range, bounds, signal) {
      if (range.after >= range.upTo) return { rows: [], upTo: range.upTo };
      // One row more than asked for tells whether anything follows.
      const sized = await pool.query(sizesQuery(table, range, bounds.maxRows + 1), signal);
      const ids = idsOf(sized);
      const picked = ids.slice(0, prefixLength(sized, bounds));
      const last = picked.at(-1);
      if (last === undefined) return { rows: [], upTo: range.upTo };
      const result = await pool.query(rowsQuery(table, picked), signal);
      return { rows: rowsOf(table, result), upTo: picked.length < ids.length ? last : range.upTo };
    },

    async existing(table, ids, signal) {
      const found = new Set<bigint>();
      for (let start = 0; start < ids.length; start += MAX_IDS_PER_QUERY) {
        const part = ids.slice(start, start + MAX_IDS_PER_QUERY);
        const { rows } = await pool.query(existingQuery(table, part), signal);
        for (const row of rows) found.add(BigInt(textOf(row[0])));
      }
      return found;
    },

    close: () => pool.close(),
  };
}

/** Keyset pages rely on unique integers; what is not would be left out in silence. */
function idsOf(result: RawResult): bigint[] {
  requireInteger(result.columns[0]);
  const ids = result.rows.map((row) => BigInt(textOf(row[0])));
  ids.forEach((id, index) => {
    if (id > LARGEST_ID) throw new Fault('source_misconfigured', 'MYSQL_ID_COLUMN: an id is above 2^63 - 1');
    if (id === ids[index - 1])
      throw new Fault('source_misconfigured', 'MYSQL_ID_COLUMN: the ids are not unique');
  });
  return ids;
}

/** How many rows stay within both bounds; oversized content is not read, so it takes no space. */
function prefixLength(sized: RawResult, bounds: { maxRows: number; maxBytes: number }): number {
  let bytes = 0;
  for (const [index, row] of sized.rows.entries()) {
    const size = sizeOf(row[1]);
    bytes += size > MAX_CONTENT_BYTES ? 0 : size;
    if (index > 0 && (bytes > bounds.maxBytes || index >= bounds.maxRows)) return index;
  }
  return sized.rows.length;
}

function rowsOf(table: TableSpec, { rows, columns }: RawResult): SourceRow[] {
  requireInteger(columns[ROW.id]);
  if (table.tenantColumn !== null)
    requireColumn(columns[ROW.tenant], 'MYSQL_TENANT_COLUMN', { bytesAllowed: false });
  requireColumn(columns[ROW.content], 'MYSQL_CONTENT_COLUMN', { bytesAllowed: true });
  const copiedColumns = columns.slice(ROW.copied);
  for (const column of copiedColumns) requireColumn(column, 'MYSQL_PAYLOAD_COLUMNS', { bytesAllowed: false });
  return rows.map((row) => ({
    id: BigInt(textOf(row[ROW.id])),
    tenant: row[ROW.tenant]?.toString('utf8') ?? null,
    ...contentOf(row),
    copied: Object.fromEntries(
      table.payloadColumns.map((name, index) => [
        name,
        decodeCopied(columnAt(copiedColumns, index), row[ROW.copied + index] ?? null),
      ]),
    ),
  }));
}

function contentOf(row: readonly RawValue[]): Pick<SourceRow, 'content' | 'refused'> {
  if (sizeOf(row[ROW.size]) > MAX_CONTENT_BYTES) return { content: null, refused: 'content_too_large' };
  const raw = row[ROW.content] ?? null;
  if (raw === null) {
    if ((row[ROW.size] ?? null) === null) return { content: null, refused: null };
    // Never taken for NULL: the record would count as one without content.
    throw new Fault('source_misconfigured', 'the server leaves content out; check its max_allowed_packet');
  }
  const content = decodeText(raw);
  return content === undefined ? { content: null, refused: 'content_invalid' } : { content, refused: null };
}

function requireInteger(column: FieldPacket | undefined): void {
  if (column !== undefined && isIntegerColumn(column)) return;
  throw new Fault('source_misconfigured', 'MYSQL_ID_COLUMN: expected a column of integers');
}

function requireColumn(
  column: FieldPacket | undefined,
  role: string,
  options: { bytesAllowed: boolean },
): void {
  if (column !== undefined) requireTextual(column, role, options);
}

function columnAt(columns: readonly FieldPacket[], index: number): FieldPacket {
  const column = columns[index];
  if (column === undefined) throw new Error(`the server left out column ${index}`);
  return column;
}

function sizeOf(raw: RawValue | undefined): number {
  return raw === null || raw === undefined ? 0 : Number(raw.toString());
}

function textOf(raw: RawValue | undefined): string {
  if (raw === null || raw === undefined)
    throw new Error('the server answered NULL where a number was expected');
  return raw.toString();
}
