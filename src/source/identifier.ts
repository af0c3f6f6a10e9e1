import { Fault } from '../errors.ts';

/** MySQL's limit on the length of a name. */
const MAX_LENGTH = 64;
/** Letters and digits of any script, `_`, `$`, `-`, and spaces between them. MySQL knows names of the BMP only. */
const NAME = /^[\p{L}\p{M}\p{N}_$-]+(?: +[\p{L}\p{M}\p{N}_$-]+)*$/u;
/** The driver refuses columns of these names, and JavaScript keeps them for itself. */
const PRIVATE = /^__(?:proto|(?:define|lookup)[GS]etter)__$/u;
const BEYOND_BMP = /[\u{10000}-\u{10ffff}]/u;

/**
 * Says what is wrong with the name of a database, table or column.
 *
 * @returns the end of a sentence that begins with the name (`is empty`), or null if the name is fine
 */
export function identifierProblem(name: string): string | null {
  if (name === '') return 'is empty';
  if (name.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters`;
  if (!NAME.test(name) || BEYOND_BMP.test(name)) {
    return 'has characters other than letters, digits, "_", "$", "-" and spaces in between';
  }
  if (PRIVATE.test(name)) return 'is a name that JavaScript keeps for itself';
  return null;
}

/**
 * Quotes a name for SQL. It is validated first: names may come from a workflow's input, not only from the settings.
 *
 * @throws Fault `source_misconfigured`
 */
export function quoteIdentifier(name: string): string {
  const problem = identifierProblem(name);
  if (problem !== null)
    throw new Fault('source_misconfigured', `the name ${JSON.stringify(name)} ${problem}`);
  return `\`${name.replaceAll('`', '``')}\``;
}
