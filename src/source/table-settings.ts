import { z } from 'zod';
import { InputError } from '../errors.ts';
import { templateProblem } from './content.ts';
import { filterProblem } from './filter.ts';
import { identifierProblem } from './identifier.ts';
import type { SourceSettings } from './settings.ts';
import type { TableSpec } from './source.ts';

/** The word for a table without tenants. */
const NO_TENANT = 'none';

/** Fields of our own payload, which a copied column would overwrite. */
const PAYLOAD_FIELDS = new Set([
  'source',
  'summary_id',
  'member_code',
  'collection_ids',
  'type',
  'parent_idx',
  'chunk_index',
  'parent_id',
  'text',
  'checksum',
  'point_count',
  'point_hash',
  'job_id',
]);

const LABEL = /^[A-Za-z0-9_.-]+$/u;
const LABEL_EXPECTED = 'expected letters, digits, "_", "." and "-" only';

const checked = (problemOf: (value: string) => string | null) =>
  z.string().superRefine((value, context) => {
    const problem = problemOf(value);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  });

const TEMPLATE_EXPECTED = 'expected a template such as {title}\\n\\n{parse_content}';

const columnName = checked((name) => expectedName('a column name', name));

/** Which table a job reads and how its columns map to records; fixed for a job when it starts. */
export const tableSettings = z.object({
  MYSQL_TABLE: checked(tableProblem)
    .default('ip_summary')
    .describe('Table to migrate, as `table` or `database.table`.'),
  MYSQL_ID_COLUMN: columnName
    .default('id')
    .describe('Unique integer column that identifies a record; its primary key as a rule.'),
  MYSQL_TENANT_COLUMN: columnName
    .default('member_code')
    .describe('Column with the tenant of a record, or `none` if the table has no tenants.'),
  MYSQL_CONTENT_COLUMN: z
    .string()
    .default('parse_content')
    .transform(namesOf)
    .superRefine((names, context) => {
      for (const message of contentProblems(names)) context.addIssue({ code: 'custom', message });
    })
    .describe('Column with the text to embed, or several, separated by commas.'),
  MYSQL_CONTENT_TEMPLATE: checked((template) => {
    const problem = templateProblem(template, null);
    return problem === null ? null : `${TEMPLATE_EXPECTED}; it ${problem}`;
  })
    .optional()
    .describe(
      'How the content columns become one text, for example `{title}\\n\\n{parse_content}`; unset: joined by a blank line.',
    ),
  MYSQL_PAYLOAD_COLUMNS: z
    .string()
    .default('')
    .transform(namesOf)
    .superRefine((names, context) => {
      for (const message of payloadProblems(names)) context.addIssue({ code: 'custom', message });
    })
    .describe(
      'Comma-separated columns that are copied into the payload of every point under their own names.',
    ),
  MYSQL_FILTER: checked((filter) => {
    const problem = filterProblem(filter);
    return problem === null ? null : `expected a condition in SQL such as deleted = 0; it ${problem}`;
  })
    .optional()
    .describe('Condition in SQL that a row must meet, for example `deleted = 0`; unset: every row.'),
  SOURCE_LABEL: z
    .string()
    .regex(LABEL, LABEL_EXPECTED)
    .optional()
    .describe('Name of the source in the payload of every point; unset: the name of the database.'),
});

/** Output of {@link tableSettings}. */
export type TableSettings = z.output<typeof tableSettings>;

/**
 * The table that the settings name.
 *
 * @throws InputError if the template does not fit the content columns
 */
export function tableSpec(settings: TableSettings & Pick<SourceSettings, 'MYSQL_DATABASE'>): TableSpec {
  const template = settings.MYSQL_CONTENT_TEMPLATE ?? null;
  const problem = template === null ? null : templateProblem(template, settings.MYSQL_CONTENT_COLUMN);
  if (problem !== null)
    throw new InputError([`MYSQL_CONTENT_TEMPLATE: ${TEMPLATE_EXPECTED}; it ${problem}.`]);
  const [table, database] = settings.MYSQL_TABLE.split('.').reverse();
  return {
    database: database ?? settings.MYSQL_DATABASE,
    table: table ?? settings.MYSQL_TABLE,
    idColumn: settings.MYSQL_ID_COLUMN,
    tenantColumn: settings.MYSQL_TENANT_COLUMN === NO_TENANT ? null : settings.MYSQL_TENANT_COLUMN,
    contentColumns: settings.MYSQL_CONTENT_COLUMN,
    contentTemplate: template,
    payloadColumns: settings.MYSQL_PAYLOAD_COLUMNS,
    filter: settings.MYSQL_FILTER ?? null,
  };
}

/**
 * The value of payload `source`: `<SOURCE_LABEL>/<table>`.
 *
 * @throws InputError if the database's name cannot serve as the label and no label is set
 */
export function sourceName(settings: Pick<TableSettings, 'SOURCE_LABEL'>, table: TableSpec): string {
  const label = settings.SOURCE_LABEL ?? table.database;
  if (!LABEL.test(label)) {
    throw new InputError([
      `SOURCE_LABEL: ${LABEL_EXPECTED}; set it, since the name of the database has other characters`,
    ]);
  }
  return `${label}/${table.table}`;
}

function tableProblem(value: string): string | null {
  const names = value.split('.');
  if (names.length > 2) return 'expected table or database.table';
  return (
    names.map((name) => expectedName('table or database.table', name)).find((problem) => problem !== null) ??
    null
  );
}

function namesOf(list: string): string[] {
  return list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

function contentProblems(names: readonly string[]): string[] {
  if (names.length === 0) return ['expected a column name, or several, separated by commas'];
  return listProblems(names);
}

function payloadProblems(names: readonly string[]): string[] {
  const taken = names.filter((name) => PAYLOAD_FIELDS.has(name));
  return [
    ...listProblems(names),
    ...taken.map((name) => `expected other columns than ${name}, a field of the payload already`),
  ];
}

/** Of names that are not names, and of repeated ones: column names know no case. */
function listProblems(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.flatMap((name) => {
    const repeated = seen.has(name.toLowerCase());
    seen.add(name.toLowerCase());
    const invalid = expectedName(names.length === 1 ? 'a column name' : 'column names', name);
    if (invalid !== null) return [invalid];
    return repeated ? [`expected each column once, ${name} is repeated`] : [];
  });
}

function expectedName(expected: string, name: string): string | null {
  const problem = identifierProblem(name);
  return problem === null ? null : `expected ${expected}; ${JSON.stringify(name)} ${problem}`;
}
