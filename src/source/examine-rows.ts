import { Fault } from '../errors.ts';
import { detailOf } from './errors.ts';
import type { SourceShape } from './examine-shape.ts';
import { quoteIdentifier } from './identifier.ts';
import type { QueryPool, RawResult } from './pool.ts';
import { countQuery, filterOf, LARGEST_ID, nullIdQuery, SMALLEST_ID, tableName } from './query.ts';
import type { SourceExamination, TableSpec } from './source.ts';
import { isIntegerColumn, textOf } from './values.ts';

/** How long one question about the ids may take. */
const IDS_LIMIT_MS = 5_000;
const COUNT_LIMIT_MS = 10_000;

type RowFacts = Pick<
  SourceExamination,
  'hasNullIds' | 'hasDuplicateIds' | 'smallestId' | 'largestId' | 'rows'
>;

/**
 * Looks at the rows of the filtered table; what takes too long is given up by the server.
 *
 * @throws Fault `source_misconfigured` naming MYSQL_FILTER if the server rejects it
 */
export async function examineRows(
  pool: QueryPool,
  table: TableSpec,
  { idColumn, idIndex }: Pick<SourceShape, 'idColumn' | 'idIndex'>,
  signal: AbortSignal,
): Promise<RowFacts> {
  const ask = async (limitMs: number, sql: string): Promise<RawResult | null> => {
    try {
      return await pool.queryWithin(limitMs, sql, signal);
    } catch (error) {
      throw table.filter === null || signal.aborted ? error : blamedOnFilter(error);
    }
  };
  const exists = async (sql: string): Promise<boolean | null> => {
    const found = await ask(IDS_LIMIT_MS, sql);
    return found === null ? null : found.rows.length > 0;
  };
  // The server reads the condition although no row is looked at.
  const where = ['TRUE', ...filterOf(table)].join(' AND ');
  await ask(IDS_LIMIT_MS, `SELECT 1 FROM ${tableName(table)} WHERE ${where} LIMIT 0`);

  const counted = await ask(COUNT_LIMIT_MS, countQuery(table, { after: SMALLEST_ID - 1n, upTo: LARGEST_ID }));
  const rows = counted === null ? null : Number(textOf(counted.rows[0]?.[0]));
  if (idColumn === undefined)
    return { hasNullIds: false, hasDuplicateIds: null, smallestId: null, largestId: null, rows };

  const id = quoteIdentifier(table.idColumn);
  const withId = `${tableName(table)} WHERE ${id} IS NOT NULL AND ${where}`;
  const endId = async (order: 'ASC' | 'DESC'): Promise<bigint | null> =>
    integerOf(await ask(IDS_LIMIT_MS, `SELECT ${id} FROM ${withId} ORDER BY ${id} ${order} LIMIT 1`));
  return {
    hasNullIds: idColumn.isNullable ? await exists(nullIdQuery(table)) : false,
    hasDuplicateIds:
      idIndex === 'unique'
        ? false
        : await exists(`SELECT 1 FROM ${withId} GROUP BY ${id} HAVING COUNT(*) > 1 LIMIT 1`),
    smallestId: await endId('ASC'),
    largestId: await endId('DESC'),
    rows,
  };
}

/** @returns null if there is none, or something else than an integer */
function integerOf(result: RawResult | null): bigint | null {
  const column = result?.columns[0];
  const value = result?.rows[0]?.[0];
  return column === undefined || value === undefined || !isIntegerColumn(column)
    ? null
    : BigInt(textOf(value));
}

/** An error that a query has only with the filter in it. */
function blamedOnFilter(error: unknown): unknown {
  if (error instanceof Fault) {
    if (error.code !== 'source_misconfigured' && error.code !== 'source_table_missing') return error;
    return new Fault('source_misconfigured', `MYSQL_FILTER: ${detailOf(error)}`);
  }
  // An answer of the server that we have no word for; its text may quote a row.
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  if (typeof errno !== 'number') return error;
  return new Fault('source_misconfigured', `MYSQL_FILTER: ${typeof code === 'string' ? code : errno}`);
}
