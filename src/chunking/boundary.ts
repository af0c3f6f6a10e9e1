import { lastSentenceEnd } from './sentence.ts';
import { Gap, gapAt, isSpace, skipSpace, trimmedEnd } from './whitespace.ts';
import { lastCharacterEnd, lastWordEnd } from './word.ts';

/**
 * How much of the room a chunk has to fill before a boundary may end it. Without this a heading before a long
 * paragraph would become a chunk of its own. Paragraphs get more freedom, because whole ones are worth a smaller chunk.
 */
const PARAGRAPH_FILL = 1 / 3;
const FILL = 1 / 2;

/** The last ends of a paragraph, line and word before spaces, by Gap; 0 where there is none. */
function lastGaps(text: string, floor: number, reach: number, next: number): number[] {
  const room = reach - floor;
  const lowest = floor + room * PARAGRAPH_FILL;
  const lowestOther = floor + room * FILL;
  const ends = [0, 0, 0, 0];
  let end = reach;
  let after = next;
  while (end >= lowest && end > floor) {
    const gap = after > end ? gapAt(text, end, after) : Gap.none;
    if (ends[gap] === 0 && (gap === Gap.paragraph || end >= lowestOther)) ends[gap] = end;
    if (gap === Gap.paragraph) break;
    after = end;
    while (after > floor && !isSpace(text.charCodeAt(after - 1))) after--;
    end = trimmedEnd(text, floor, after);
  }
  return ends;
}

/**
 * The best place at or before `reach` to end a chunk that begins at 0: the last end of a paragraph, else line,
 * sentence, word before a space, word (by dictionary where a script has no spaces), grapheme, code point.
 *
 * @param text begins with the chunk and goes on some way beyond `reach`
 * @param floor the chunk has to contain some non-whitespace after this position
 * @returns a position above `floor` that follows non-whitespace; 0 where there is none
 */
export function lastBoundary(text: string, floor: number, reach: number): number {
  const limit = trimmedEnd(text, floor, reach);
  if (limit <= floor) return 0;
  const next = skipSpace(text, limit);
  const ends = lastGaps(text, floor, limit, next);
  return (
    ends[Gap.paragraph]! ||
    ends[Gap.line]! ||
    lastSentenceEnd(text, floor + Math.floor((limit - floor) * FILL), limit, next) ||
    ends[Gap.space]! ||
    lastWordEnd(text, floor, limit) ||
    lastCharacterEnd(text, floor, limit)
  );
}
