import { chunkEnd } from './cut.ts';
import { firstSentenceStart } from './sentence.ts';
import { countTokens } from './tokens.ts';
import { skipSpace } from './whitespace.ts';
import { wordStarts } from './word.ts';

/** Farther back than this many UTF-16 units a token the start of an overlap is not looked for. */
const UNITS_PER_TOKEN = 8;

/**
 * Where the child after one that ended at `end` begins: at the earliest word after `start` from which at most `limit`
 * tokens lead to `end`, or at a sentence in the first half of that; at the first non-whitespace after `end` where no
 * word fits.
 */
function overlapStart(text: string, start: number, end: number, limit: number): number {
  const none = skipSpace(text, end);
  if (limit === 0) return none;
  const from = Math.max(start, end - limit * UNITS_PER_TOKEN);
  const starts = wordStarts(text, from, end);
  // From the last word back, with the words counted one by one: as a rule an upper estimate of the whole.
  let first = starts.length;
  let sum = 0;
  for (let next = end; first > 0; next = starts[first]!) {
    sum += countTokens(text.slice(starts[first - 1], next).trimEnd());
    if (sum > limit + 1) break;
    first--;
  }
  while (first < starts.length && countTokens(text.slice(starts[first], end)) > limit) first++;
  const word = starts[first];
  if (word === undefined) return none;
  const sentence = firstSentenceStart(text, from, word, word + Math.floor((end - word) / 2));
  return sentence > word ? sentence : word;
}

/**
 * Cuts a parent into children of at most `limit` tokens that overlap by at most `overlap` tokens. Each ends after the
 * end of the one before it.
 *
 * @param text trimmed and not empty
 */
export function splitChildren(text: string, limit: number, overlap: number): string[] {
  const children: string[] = [];
  let start = 0;
  let floor = 0;
  for (;;) {
    let end = chunkEnd(text, start, floor, limit);
    if (end === floor) {
      // The overlap leaves no room for the next word or code point: go without it.
      start = skipSpace(text, floor);
      end = chunkEnd(text, start, start, limit);
    }
    children.push(text.slice(start, end));
    if (end === text.length) return children;
    start = overlapStart(text, start, end, overlap);
    floor = Math.max(start, end);
  }
}
