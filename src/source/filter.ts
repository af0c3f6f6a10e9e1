/**
 * A quoted part of SQL; quotes are doubled or escaped by a backslash inside it. A server may be set up otherwise: with
 * NO_BACKSLASH_ESCAPES no backslash escapes, with ANSI_QUOTES none in double quotes.
 */
const QUOTED = [
  /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`/gsu,
  /'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`/gsu,
  /'(?:[^'\\]|\\.|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`/gsu,
];

/**
 * Says what is wrong with a raw SQL condition that is to stand in parentheses of its own: whatever could end the
 * parentheses or hide the rest of the query would also lift the bounds of the id range. Quoted text is free, but has to
 * end at the same quote on every server: `'it''s'` does, `'it\'s'` does not.
 *
 * @returns the end of a sentence that begins with the filter (`must not hold a comment`), or null if it is fine
 */
export function filterProblem(filter: string): string | null {
  if (filter.trim() === '') return 'is empty';
  if (filter.includes('\0')) return 'must not hold a NUL character';
  const problems = QUOTED.map((quoted) => problemBeside(filter.replace(quoted, ' ')));
  const [usual] = problems;
  if (usual !== null && usual !== undefined) return usual;
  return problems.every((problem) => problem === null)
    ? null
    : "has a quote after a backslash, which not every server reads alike; double it ('')";
}

/** @param bare the filter without its quoted parts */
function problemBeside(bare: string): string | null {
  if (/['"`]/u.test(bare)) return 'has a quote that is not closed';
  if (bare.includes(';')) return 'must be one condition, without ";"';
  if (/--|#|\/\*|\*\//u.test(bare)) return 'must not hold a comment ("--", "#" or "/*")';
  let depth = 0;
  for (const character of bare) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (depth < 0) break;
  }
  return depth === 0 ? null : 'has parentheses that do not match';
}
