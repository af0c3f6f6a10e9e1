import fc from 'fast-check';

/** What names are made of that were chosen to mean something else: in SQL, in a path, in a query, in a shell. */
const HOSTILE = [
  '`',
  '``',
  "'",
  '"',
  '\\',
  ';',
  '--',
  '#',
  '/*',
  '*/',
  '(',
  ')',
  '\0',
  '\n',
  ' ',
  '.',
  '..',
  '/',
  '%2e',
  '%2F',
  '?',
  '&',
  ',',
  '*',
  '😀',
  'é',
  '名',
  'ß',
  'a',
  'Z',
  '_',
  '$',
  '-',
  '0',
  'or 1=1',
  'drop table t',
];

/** A name of such parts. */
export const hostileName = fc
  .array(fc.constantFrom(...HOSTILE), { minLength: 1, maxLength: 12 })
  .map((parts) => parts.join(''));
