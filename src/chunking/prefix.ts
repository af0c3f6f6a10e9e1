import { countPiece } from './bpe.ts';
import { pretokenEnd } from './pretoken.ts';
import { clearOfPair } from './surrogates.ts';
import { countTokens } from './tokens.ts';

/** Longer pretokens (text without spaces, rows of signs) are counted in parts of this many UTF-16 units at first. */
const PART_UNITS = 64;

/** The tokens of the beginning of a text. */
export interface TokenPrefix {
  /** About where the limit is reached, in UTF-16 units; the length of the text where all of it is within the limit. */
  readonly reach: number;
  /** Exact number of tokens of `text.slice(0, end).trimEnd()`, for `end` up to `reach` and after non-whitespace. */
  countTo(end: number): number;
}

/** Where in the pretoken from `start` to `end` about `room` more tokens are reached; `end` where they are not. */
function reachWithin(text: string, start: number, end: number, room: number): number {
  let left = room;
  for (let at = start; at < end;) {
    const partEnd = Math.min(end, clearOfPair(text, at + PART_UNITS));
    const count = countPiece(text.slice(at, partEnd));
    if (count > left) return clearOfPair(text, at + Math.floor(((partEnd - at) * left) / count));
    left -= count;
    at = partEnd;
  }
  return end;
}

/** Counts from the start of `text` until `limit` tokens are reached. Looks at no more of it than that. */
export function measurePrefix(text: string, limit: number): TokenPrefix {
  // Ends of the pretokens that fit, and the tokens up to there.
  const ends = [0];
  const sums = [0];
  let reach = 0;
  let sum = 0;
  while (reach < text.length) {
    const end = pretokenEnd(text, reach);
    const isLong = end - reach > PART_UNITS;
    // A long pretoken of which only a part fits is not merged as a whole: it may be a hundred times what fits.
    const within = isLong ? reachWithin(text, reach, end, limit - sum) : end;
    const count = within === end ? countPiece(text.slice(reach, end)) : Infinity;
    if (sum + count > limit) {
      reach = isLong ? within : reachWithin(text, reach, end, limit - sum);
      break;
    }
    sum += count;
    reach = end;
    ends.push(end);
    sums.push(sum);
  }
  return {
    reach,
    countTo(end) {
      let last = ends.length - 1;
      while (ends[last]! > end) last--;
      // Pretokens do not depend on what follows them, except for whitespace at the end, which a chunk does not have.
      return sums[last]! + countTokens(text.slice(ends[last], end));
    },
  };
}
