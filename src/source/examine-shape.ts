import { tableName } from './query.ts';
import type { QueryPool, RawResult } from './pool.ts';
import type { ColumnDescription, SourceExamination, TableSpec } from './source.ts';
import { textOf } from './values.ts';

/** What a table is, whatever rows it has. */
export type SourceShape = Pick<SourceExamination, 'relation' | 'columns' | 'missingColumns' | 'idIndex'> & {
  /** Undefined if the table has no such column. */
  readonly idColumn: ColumnDescription | undefined;
};

/** Describes the table, its columns and what indexes the id; nothing here depends on how many rows there are. */
export async function examineShape(
  pool: QueryPool,
  table: TableSpec,
  signal: AbortSignal,
): Promise<SourceShape> {
  // Tells a table that is missing from one that the account may not read, which information_schema does not.
  await pool.query(`SELECT 1 FROM ${tableName(table)} LIMIT 0`, signal);
  const facts = (columns: string, of: 'TABLES' | 'COLUMNS' | 'STATISTICS') =>
    // The names hold no quote and no backslash: quoting them above would have refused it.
    pool.query(
      `SELECT ${columns} FROM information_schema.${of} WHERE TABLE_SCHEMA = '${table.database}' AND TABLE_NAME = '${table.table}'`,
      signal,
    );
  const kind = await facts('TABLE_TYPE', 'TABLES');
  const described = await facts('COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLLATION_NAME', 'COLUMNS');
  const existing = new Map(described.rows.map((row) => [keyOf(textOf(row[0])), row]));
  const names = namesOf(table);
  const columns = names.flatMap((name) => describeColumn(name, existing.get(keyOf(name))));
  const indexes = await facts('INDEX_NAME, NON_UNIQUE, SEQ_IN_INDEX, COLUMN_NAME', 'STATISTICS');
  return {
    relation: kind.rows[0]?.[0]?.toString().endsWith('VIEW') === true ? 'view' : 'table',
    columns,
    missingColumns: names.filter((name) => !existing.has(keyOf(name))),
    idIndex: indexOf(table.idColumn, indexes),
    idColumn: columns.find(({ name }) => name === table.idColumn),
  };
}

/** Every column that the specification names, once, id first. */
function namesOf({ idColumn, tenantColumn, contentColumns, payloadColumns }: TableSpec): string[] {
  const named = [idColumn, tenantColumn, ...contentColumns, ...payloadColumns].filter(
    (name) => name !== null,
  );
  return named.filter((name, index) => !named.slice(0, index).some((other) => keyOf(other) === keyOf(name)));
}

function describeColumn(name: string, row: RawResult['rows'][number] | undefined): ColumnDescription[] {
  if (row === undefined) return [];
  const [, type, isNullable, collation] = row;
  return [
    {
      name,
      type: textOf(type),
      isNullable: textOf(isNullable) === 'YES',
      collation: collation?.toString() ?? null,
    },
  ];
}

function indexOf(idColumn: string, { rows }: RawResult): SourceExamination['idIndex'] {
  const parts = rows.map(([index, nonUnique, position, column]) => ({
    index: textOf(index),
    isUnique: textOf(nonUnique) === '0',
    isFirst: textOf(position) === '1',
    // An index of an expression has no column.
    isId: column !== null && column !== undefined && keyOf(column.toString()) === keyOf(idColumn),
  }));
  const leading = parts.filter(({ isFirst, isId }) => isFirst && isId);
  const isAlone = (name: string): boolean => parts.filter(({ index }) => index === name).length === 1;
  if (leading.some(({ index, isUnique }) => isUnique && isAlone(index))) return 'unique';
  return leading.length > 0 ? 'ordinary' : 'none';
}

/** Column names know no case. */
function keyOf(name: string): string {
  return name.toLowerCase();
}
