import type { Check } from '../job/inquiry.ts';
import type { ColumnDescription, SourceExamination, TableSpec } from '../source/source.ts';
import { ok, problem, warning, type CheckId } from './preflight-check.ts';

const INTEGER = /^(?:tiny|small|medium|big)?int|^integer|^year/iu;
const BYTES = /^(?:tiny|medium|long)?blob|^(?:var)?binary/iu;
const OPAQUE = /^(?:geometry|point|linestring|polygon|multi|geomcollection|geometrycollection|vector)/iu;
const LONG_TEXT = /^(?:tiny|medium|long)?text|^json/iu;
/** MySQL's old UTF-8 of three bytes a character. */
const UTF8MB3 = /^utf8(?:mb3)?_/iu;

/** What preflight says of the columns: all that are missing at once, and whether each can be what it should be. */
export function columnChecks(table: TableSpec, examined: SourceExamination): Check[] {
  const { missingColumns, columns } = examined;
  const named = (name: string): ColumnDescription | undefined =>
    columns.find((column) => column.name.toLowerCase() === name.toLowerCase());
  const existing = (names: readonly string[]): ColumnDescription[] =>
    names.flatMap((name) => named(name) ?? []);
  const id = named(table.idColumn);
  const contents = existing(table.contentColumns);
  const tenant = table.tenantColumn === null ? undefined : named(table.tenantColumn);
  return [
    missingColumns.length === 0
      ? ok('source.columns', `All ${columns.length} columns exist.`)
      : problem(
          'source.columns',
          `The table has no column ${missingColumns.map((name) => `\`${name}\``).join(', ')}.`,
          `Correct ${settingsOf(table, missingColumns).join(', ')}.`,
        ),
    ...(id === undefined ? [] : [idCheck(id)]),
    ...(contents.length === 0 ? [] : [contentCheck(contents), encodingCheck(contents)]),
    ...tenantCheck(table, tenant),
    ...copiedCheck(existing(table.payloadColumns)),
  ];
}

/** The settings that name these columns. */
function settingsOf(table: TableSpec, names: readonly string[]): string[] {
  const roles: readonly (readonly [string, readonly string[]])[] = [
    ['MYSQL_ID_COLUMN', [table.idColumn]],
    ['MYSQL_TENANT_COLUMN (`none` if the table has no tenants)', [table.tenantColumn ?? '']],
    ['MYSQL_CONTENT_COLUMN', table.contentColumns],
    ['MYSQL_PAYLOAD_COLUMNS', table.payloadColumns],
  ];
  return roles.flatMap(([setting, own]) => (own.some((name) => names.includes(name)) ? [setting] : []));
}

function idCheck({ name, type }: ColumnDescription): Check {
  return INTEGER.test(type)
    ? ok('source.id', `\`${name}\` is an integer column (${type}).`)
    : problem(
        'source.id',
        `\`${name}\` is no integer column (${type}).`,
        'Name a unique integer column in MYSQL_ID_COLUMN.',
      );
}

function contentCheck(contents: readonly ColumnDescription[]): Check {
  const opaque = contents.filter(({ type }) => OPAQUE.test(type));
  return opaque.length === 0
    ? ok('source.content', `Content comes from ${described(contents)}.`)
    : problem(
        'source.content',
        `${described(opaque)} cannot be read as text.`,
        'Name columns of text in MYSQL_CONTENT_COLUMN.',
      );
}

function encodingCheck(contents: readonly ColumnDescription[]): Check {
  const narrow = contents.filter(({ collation }) => collation !== null && UTF8MB3.test(collation));
  if (narrow.length > 0) {
    return warning(
      'source.encoding',
      `${described(narrow)} is utf8mb3, which holds no emoji and no rare Chinese characters: they were lost or turned into "?" when rows were written.`,
      'The migration takes what is stored. To keep them from now on, convert the column to utf8mb4.',
    );
  }
  const bytes = contents.filter(({ type }) => BYTES.test(type));
  if (bytes.length > 0) {
    return warning(
      'source.encoding',
      `${described(bytes)} holds bytes without an encoding; they are read as UTF-8.`,
      'Records whose bytes are not UTF-8 will be listed as failed (content_invalid).',
    );
  }
  return ok('source.encoding', 'The content columns can hold any character of their text.');
}

function tenantCheck(table: TableSpec, tenant: ColumnDescription | undefined): Check[] {
  if (table.tenantColumn === null) return [ok('source.tenant', 'The table has no tenants.')];
  if (tenant === undefined) return [];
  return [
    unfit('source.tenant', [tenant], 'MYSQL_TENANT_COLUMN') ??
      (LONG_TEXT.test(tenant.type)
        ? warning(
            'source.tenant',
            `The tenant comes from a column of long text, ${described([tenant])}; each of its values is indexed.`,
            'Check that MYSQL_TENANT_COLUMN names a short code.',
          )
        : ok('source.tenant', `The tenant comes from ${described([tenant])}.`)),
  ];
}

function copiedCheck(copied: readonly ColumnDescription[]): Check[] {
  if (copied.length === 0) return [];
  const long = copied.filter(({ type }) => LONG_TEXT.test(type));
  return [
    unfit('source.copied', copied, 'MYSQL_PAYLOAD_COLUMNS') ??
      (long.length > 0
        ? warning(
            'source.copied',
            `Long text is copied into every point of a record: ${described(long)}.`,
            'Leave it out of MYSQL_PAYLOAD_COLUMNS unless searches need it.',
          )
        : ok('source.copied', `Copied into every point: ${described(copied)}.`)),
  ];
}

function unfit(id: CheckId, columns: readonly ColumnDescription[], setting: string): Check | null {
  const bytes = columns.filter(({ type }) => BYTES.test(type) || OPAQUE.test(type));
  return bytes.length === 0
    ? null
    : problem(id, `${described(bytes)} holds binary data, which has no form as text.`, `Correct ${setting}.`);
}

function described(columns: readonly ColumnDescription[]): string {
  return columns.map(({ name, type }) => `\`${name}\` (${type})`).join(', ');
}
