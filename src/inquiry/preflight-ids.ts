import type { Check } from '../job/inquiry.ts';
import { LARGEST_ID } from '../planning/plan.ts';
import type { SourceExamination } from '../source/source.ts';
import { ok, problem, warning } from './preflight-check.ts';

/** Without an index every page sorts the whole table; up to here that does no harm. */
const SORTABLE_ROWS = 10_000;

/** What preflight says of the ids that the table holds, and of its rows. */
export function idChecks(idColumn: string, examined: SourceExamination): Check[] {
  return [
    ...indexCheck(idColumn, examined),
    nullCheck(idColumn, examined),
    duplicateCheck(idColumn, examined),
    rangeCheck(idColumn, examined),
    rowsCheck(examined),
  ];
}

function indexCheck(name: string, { relation, idIndex, rows }: SourceExamination): Check[] {
  if (relation === 'view') {
    return [
      ok('source.id_index', `A view has no indexes; \`${name}\` should be indexed in the table behind it.`),
    ];
  }
  const advice = `Add an index: CREATE UNIQUE INDEX … ON … (\`${name}\`).`;
  if (idIndex === 'unique') return [ok('source.id_index', `A unique index orders \`${name}\`.`)];
  if (idIndex === 'ordinary') {
    return [warning('source.id_index', `The index on \`${name}\` does not keep its values apart.`, advice)];
  }
  const message = `\`${name}\` has no index: the server sorts the whole table for every page.`;
  return rows !== null && rows <= SORTABLE_ROWS
    ? [warning('source.id_index', message, advice)]
    : [problem('source.id_index', message, advice)];
}

function nullCheck(name: string, { hasNullIds }: SourceExamination): Check {
  if (hasNullIds === null) {
    return warning(
      'source.id_nulls',
      `Whether \`${name}\` is NULL anywhere was not found out in time.`,
      'A row without an id cannot be migrated; make the column NOT NULL to be sure.',
    );
  }
  return hasNullIds
    ? problem(
        'source.id_nulls',
        `There are rows whose \`${name}\` is NULL: they cannot be migrated.`,
        `Give them ids, or leave them out with MYSQL_FILTER="${name} IS NOT NULL".`,
      )
    : ok('source.id_nulls', 'Every row has an id.');
}

function duplicateCheck(name: string, { hasDuplicateIds }: SourceExamination): Check {
  if (hasDuplicateIds === null) {
    return warning(
      'source.id_duplicates',
      `Whether \`${name}\` holds a value twice was not found out in time.`,
      'The job halts where it meets one; a unique index excludes it.',
    );
  }
  return hasDuplicateIds
    ? problem(
        'source.id_duplicates',
        `\`${name}\` holds values that occur more than once.`,
        'Name a unique column in MYSQL_ID_COLUMN, or leave the repeated rows out with MYSQL_FILTER.',
      )
    : ok('source.id_duplicates', 'No id occurs twice.');
}

function rangeCheck(name: string, { smallestId, largestId }: SourceExamination): Check {
  if (smallestId === null || largestId === null) return ok('source.id_range', 'There are no ids to look at.');
  return largestId > LARGEST_ID
    ? problem(
        'source.id_range',
        `The largest \`${name}\` is ${largestId}, beyond a signed 64-bit integer (2^63 - 1), which is what Qdrant can hold.`,
        'Name another column in MYSQL_ID_COLUMN, or leave these rows out with MYSQL_FILTER.',
      )
    : ok('source.id_range', `Ids go from ${smallestId} to ${largestId}.`);
}

function rowsCheck({ rows }: SourceExamination): Check {
  if (rows === null) return ok('source.rows', 'The rows could not be counted in a few seconds: many.');
  return rows === 0
    ? warning(
        'source.rows',
        'The table has no rows that would be migrated.',
        'Check MYSQL_DATABASE, MYSQL_TABLE and MYSQL_FILTER.',
      )
    : ok('source.rows', `${rows.toLocaleString('en-US')} rows would be migrated.`);
}
