import { lastBoundary } from './boundary.ts';
import { measurePrefix } from './prefix.ts';
import { clearOfPair } from './surrogates.ts';

/**
 * A chunk has at most this many UTF-16 units a token of its limit (English has 4 to 5). It bounds the time for runs of
 * spaces or signs, of which a token holds up to 128.
 */
const MAX_UNITS_PER_TOKEN = 16;
/** Text beyond the chunk that shows whether a boundary is one. */
const LOOKAHEAD_UNITS = 128;

/**
 * End of the chunk of `text` that begins at `start`.
 *
 * @param text ends with non-whitespace
 * @param start at non-whitespace
 * @param floor the chunk has to contain some non-whitespace at or after this position (`start`, or the end of the
 *   previous chunk where they overlap)
 * @param limit at least 4 tokens, so that any code point fits
 * @returns a position after non-whitespace, with at most `limit` tokens between; or `floor` where nothing beyond it
 *   fits, which cannot be where `floor` is `start`
 */
export function chunkEnd(text: string, start: number, floor: number, limit: number): number {
  const maxUnits = limit * MAX_UNITS_PER_TOKEN;
  const view = text.slice(start, clearOfPair(text, start + maxUnits + LOOKAHEAD_UNITS));
  const prefix = measurePrefix(view, limit);
  // `reach` is an estimate, so an end that is near is counted too: what fits as a whole should stay whole.
  const isEndNear = start + view.length === text.length && view.length - prefix.reach <= view.length / 8;
  if (isEndNear && view.length <= maxUnits && prefix.countTo(view.length) <= limit) return text.length;

  const overlap = floor - start;
  const smallest = clearOfPair(view, overlap + 1) > overlap ? overlap + 1 : overlap + 2;
  let reach = Math.max(smallest, Math.min(prefix.reach, maxUnits));
  for (;;) {
    const end = lastBoundary(view, overlap, clearOfPair(view, reach));
    if (end === 0) return floor;
    const count = prefix.countTo(end);
    if (count <= limit) return start + end;
    if (end <= smallest) return floor;
    // Merges across a cut make an estimate wrong by a token or so; take off as much and try the next boundary.
    reach = Math.max(smallest, end - Math.ceil(((count - limit) * end) / count));
  }
}
