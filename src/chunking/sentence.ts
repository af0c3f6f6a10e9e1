import { clearOfPair } from './surrogates.ts';
import { Gap, gapAt, isSpace, trimmedEnd } from './whitespace.ts';

/** A fixed locale: the default one would differ between hosts. Dictionaries (zh, ja, th) work in every locale. */
const sentences = new Intl.Segmenter('en', { granularity: 'sentence' });

/** Farther back than this a sentence end is not looked for. */
const LOOKBACK_UNITS = 2048;
/** Text after the position that decides whether a full stop ends a sentence. */
const LOOKAHEAD_UNITS = 64;
/** A paragraph of abbreviations or a wrapped one may hold many false ends; give up after this many. */
const MAX_TRIES = 24;

/** Full stops that Intl.Segmenter takes for the end of a sentence although a name or number follows. */
const ABBREVIATION =
  /(?:^|[\s(["'“‘])(?:\p{Lu}|Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr|No|Nr|Fig|vs|cf|ca|approx|e\.g|i\.e)\.$/u;

/** Whether the segment boundary `at`, which follows `end` of the text before it, is no end of a sentence. */
function isFalseEnd(text: string, end: number, at: number): boolean {
  if (text.charCodeAt(end - 1) === 0x2e && ABBREVIATION.test(text.slice(Math.max(0, end - 10), end)))
    return true;
  if (at === end) return false;
  // Every line break is a boundary for Intl.Segmenter, in wrapped text too.
  const gap = gapAt(text, end, at);
  return gap === Gap.space && /[\n\r]/.test(text.slice(end, at));
}

/**
 * The last end of a sentence of `text` in (`floor`, `reach`], trimmed of whitespace; 0 where there is none.
 *
 * @param reach an end of non-whitespace; `next` is the first non-whitespace after it
 */
export function lastSentenceEnd(text: string, floor: number, reach: number, next: number): number {
  const from = clearOfPair(text, Math.max(0, floor - LOOKAHEAD_UNITS, reach - LOOKBACK_UNITS));
  const segments = sentences.segment(text.slice(from, clearOfPair(text, next + LOOKAHEAD_UNITS)));
  let at = next - from;
  for (let tries = 0; tries < MAX_TRIES && at > 0; tries++) {
    const boundary = segments.containing(at)?.index ?? 0;
    if (boundary === 0) return 0;
    const end = trimmedEnd(text, from, from + boundary);
    if (end <= floor) return 0;
    if (!isFalseEnd(text, end, from + boundary)) return end;
    at = boundary - 1;
  }
  return 0;
}

/** The first start of a sentence of `text` in [`start`, `end`]; -1 where there is none. `from` gives it context. */
export function firstSentenceStart(text: string, from: number, start: number, end: number): number {
  const segments = sentences.segment(text.slice(from, clearOfPair(text, end + LOOKAHEAD_UNITS)));
  let at = start - from;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    // A segment that begins at `start` itself counts; otherwise the one after the segment that holds it.
    const segment = segments.containing(at);
    if (segment === undefined) return -1;
    const boundary = segment.index === at && at > 0 ? at : segment.index + segment.segment.length;
    const found = from + boundary;
    if (found > end) return -1;
    // Each line break of a blank line ends a segment, so a segment may begin with whitespace.
    const isStart = !isSpace(text.charCodeAt(found));
    if (isStart && !isFalseEnd(text, trimmedEnd(text, from, found), found)) return found;
    at = boundary + 1;
  }
  return -1;
}
