/** What a run of whitespace separates, weakest first. `none`: it is no place for a cut (no-break spaces only). */
export const Gap = { none: 0, space: 1, line: 2, paragraph: 3 } as const;
export type Gap = (typeof Gap)[keyof typeof Gap];

/** Whether a UTF-16 unit is whitespace, exactly as for `trim()` and `\s`. */
export function isSpace(code: number): boolean {
  if (code < 0x80) return code === 0x20 || (code >= 0x09 && code <= 0x0d);
  if (code < 0x1680) return code === 0xa0;
  return (
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    (code >= 0x2028 && code <= 0x2029) ||
    code === 0x202f ||
    code === 0x205f ||
    code === 0x3000 ||
    code === 0xfeff
  );
}

/** The first position at or after `start` (and before `end`) that is not whitespace, else `end`. */
export function skipSpace(text: string, start: number, end = text.length): number {
  let at = start;
  while (at < end && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** The end of `text.slice(start, end).trimEnd()` in `text`; `start` where that is empty. */
export function trimmedEnd(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && isSpace(text.charCodeAt(at - 1))) at--;
  return at;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const LINE_SEPARATOR = 0x2028;
const PARAGRAPH_SEPARATOR = 0x2029;
const NO_BREAK = new Set([0xa0, 0x2007, 0x202f, 0xfeff]);
const LOWERCASE = /^\p{Ll}/u;

/**
 * What the run of whitespace from `start` to `end` separates. A blank line ends a paragraph. A single line break ends
 * a line, unless a lowercase letter follows: then the text is wrapped and the line break stands for a space.
 */
export function gapAt(text: string, start: number, end: number): Gap {
  let lines = 0;
  let gap: Gap = Gap.none;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code === PARAGRAPH_SEPARATOR) return Gap.paragraph;
    const isCrLf = code === CARRIAGE_RETURN && text.charCodeAt(at + 1) === LINE_FEED;
    if ((code >= LINE_FEED && code <= CARRIAGE_RETURN && !isCrLf) || code === LINE_SEPARATOR) lines++;
    if (lines > 1) return Gap.paragraph;
    if (!NO_BREAK.has(code)) gap = Gap.space;
  }
  if (lines === 0) return gap;
  return LOWERCASE.test(text.slice(end, end + 2)) ? Gap.space : Gap.line;
}
