import { examineSource } from './examine.ts';
import { createRowPacer } from './pacing.ts';
import { createQueryPool } from './pool.ts';
import type { RawResult } from './pool.ts';
import {
  countQuery,
  existingQuery,
  idsQuery,
  nullIdQuery,
  rowsQuery,
  sizesQuery,
  SMALLEST_ID,
} from './query.ts';
import { bytesToRead, contentSizesOf, idsOf, nullIdFault, prefixLength, rowsOf } from './rows.ts';
import type { SourceSettings } from './settings.ts';
import type { IdRange, Source, TableSpec } from './source.ts';
import { mayBeNull } from './values.ts';

/** Ids of one `id IN (…)`. */
const MAX_IDS_PER_QUERY = 1_000;

/**
 * A {@link Source} on MySQL 8 or MariaDB. It connects on first use.
 *
 * @throws InputError if the file of MYSQL_CA cannot be read
 */
export function createMySqlSource(settings: SourceSettings): Source {
  const pool = createQueryPool(settings);
  const pacer = createRowPacer(settings.MYSQL_ROWS_PER_SECOND);

  /** Pages by key skip rows without one in silence; looked for once a scan, where it begins. */
  async function refuseNullIds(
    table: TableSpec,
    range: IdRange,
    { columns: [column] }: RawResult,
    signal: AbortSignal,
  ): Promise<void> {
    if (range.after > SMALLEST_ID || column === undefined || !mayBeNull(column)) return;
    const { rows } = await pool.query(nullIdQuery(table), signal);
    if (rows.length > 0) throw nullIdFault();
  }

  return {
    async ids(table, range, limit, signal) {
      if (range.after >= range.upTo) return [];
      // One more than asked for: an id that is repeated beyond the end would be lost between two pages.
      const result = await pool.query(idsQuery(table, range, limit + 1), signal);
      const ids = idsOf(result);
      await refuseNullIds(table, range, result, signal);
      return ids.slice(0, limit);
    },

    async count(table, range, signal) {
      if (range.after >= range.upTo) return 0;
      const { rows } = await pool.query(countQuery(table, range), signal);
      return Number(rows[0]?.[0]?.toString());
    },

    async page(table, range, bounds, signal) {
      if (range.after >= range.upTo) return { rows: [], upTo: range.upTo };
      const maxRows = Math.min(bounds.maxRows, pacer.maxRows);
      // One row more than asked for tells whether anything follows, and whether the last id is repeated.
      const result = await pool.query(sizesQuery(table, range, maxRows + 1), signal);
      const sizes = contentSizesOf(result);
      await refuseNullIds(table, range, result, signal);
      const picked = sizes.slice(0, prefixLength(sizes, { ...bounds, maxRows })).map(({ id }) => id);
      const last = picked.at(-1);
      if (last === undefined) return { rows: [], upTo: range.upTo };
      const firstBytes = bytesToRead(sizes[0]);
      if (firstBytes > (bounds.deferAbove ?? Infinity)) {
        return { rows: [], upTo: range.after, deferredBytes: firstBytes };
      }
      await pacer.take(picked.length, signal);
      const rows = rowsOf(table, await pool.query(rowsQuery(table, picked), signal));
      return { rows, upTo: picked.length < sizes.length ? last : range.upTo };
    },

    async existing(table, ids, signal) {
      const found = new Set<bigint>();
      for (let start = 0; start < ids.length; start += MAX_IDS_PER_QUERY) {
        const part = ids.slice(start, start + MAX_IDS_PER_QUERY);
        const { rows } = await pool.query(existingQuery(table, part), signal);
        for (const [id] of rows) if (id) found.add(BigInt(id.toString()));
      }
      return found;
    },

    async sizes(table, range, limit, signal) {
      if (range.after >= range.upTo) return [];
      const result = await pool.query(sizesQuery(table, range, limit + 1), signal);
      return contentSizesOf(result).slice(0, limit);
    },

    examine: (table, signal) => examineSource(pool, settings, table, signal),

    close: () => pool.close(),
  };
}
