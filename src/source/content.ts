import { Fault } from '../errors.ts';
import type { TableSpec } from './source.ts';

/** Between the texts of several columns where no template says otherwise. */
const BLANK_LINE = '\n\n';

const TOKEN = /\{\{|\}\}|\\[nt\\]|\{[^{}]*\}|[{}\\]|[^{}\\]+/gu;
const LITERALS = new Map([
  ['{{', '{'],
  ['}}', '}'],
  ['\\n', '\n'],
  ['\\t', '\t'],
  ['\\\\', '\\'],
]);

/** Fixed words, or the place of a column. */
type Part = string | { readonly column: string };

/**
 * Says what is wrong with a content template: `{column}` is the place of a column, `\n`, `\t` and `\\` are a line
 * break, a tab and a backslash, `{{` and `}}` are braces.
 *
 * @param columns each has to occur exactly once, and nothing else; null: only the form is looked at
 * @returns the end of a sentence that begins with the template (`does not mention {title}`), or null if it is fine
 */
export function templateProblem(template: string, columns: readonly string[] | null): string | null {
  const parts = parse(template);
  if (typeof parts === 'string') return parts;
  const named = parts.flatMap((part) => (typeof part === 'string' ? [] : [part.column]));
  const repeated = named.find((name, index) => named.slice(0, index).some((other) => isSame(other, name)));
  if (repeated !== undefined) return `mentions {${repeated}} more than once`;
  if (columns === null) return null;
  const unknown = named.find((name) => !columns.some((column) => isSame(column, name)));
  if (unknown !== undefined) return `mentions {${unknown}}, which MYSQL_CONTENT_COLUMN does not list`;
  const left = columns.find((column) => !named.some((name) => isSame(column, name)));
  return left === undefined ? null : `does not mention {${left}}, which MYSQL_CONTENT_COLUMN lists`;
}

/** Makes one text of the texts of the content columns, in their order; null: the record has no content. */
export type ContentJoin = (texts: readonly (string | null)[]) => string | null;

/**
 * How a table's content columns become one text. A single column without a template is taken as it is. Otherwise a
 * record whose columns are all NULL or blank has no content, so that a template's words alone are never embedded; a
 * NULL column is an empty text in a template and left out without one, as is a blank one.
 *
 * @throws Fault `source_misconfigured` if the template does not fit the columns: it may come from a workflow's input
 */
export function contentJoin({
  contentColumns,
  contentTemplate,
}: Pick<TableSpec, 'contentColumns' | 'contentTemplate'>): ContentJoin {
  if (contentTemplate === null)
    return contentColumns.length === 1 ? ([text]) => text ?? null : joinByBlankLine;
  const problem = templateProblem(contentTemplate, contentColumns);
  const parts = parse(contentTemplate);
  if (problem !== null || typeof parts === 'string')
    throw new Fault('source_misconfigured', `MYSQL_CONTENT_TEMPLATE ${problem}`);
  const places = parts.map((part) =>
    typeof part === 'string' ? part : contentColumns.findIndex((column) => isSame(column, part.column)),
  );
  return (texts) => {
    if (texts.every(isBlank)) return null;
    return places.map((place) => (typeof place === 'string' ? place : (texts[place] ?? ''))).join('');
  };
}

function joinByBlankLine(texts: readonly (string | null)[]): string | null {
  const filled = texts.filter((text) => !isBlank(text));
  return filled.length === 0 ? null : filled.join(BLANK_LINE);
}

/** @returns the parts, or the problem */
function parse(template: string): Part[] | string {
  const tokens: readonly string[] = template.match(TOKEN) ?? [];
  if (tokens.includes('\\'))
    return 'has a "\\" before something other than n, t or \\; write \\\\ for a backslash';
  if (tokens.includes('{') || tokens.includes('}'))
    return 'has a brace that belongs to no {column}; write {{ or }} for a brace';
  return tokens.map(
    (token) => LITERALS.get(token) ?? (token.startsWith('{') ? { column: token.slice(1, -1) } : token),
  );
}

/** Column names know no case. */
function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function isBlank(text: string | null): boolean {
  return text === null || text.trim() === '';
}
