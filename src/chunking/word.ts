import { clearOfPair } from './surrogates.ts';
import { isSpace, trimmedEnd } from './whitespace.ts';

const words = new Intl.Segmenter('en', { granularity: 'word' });
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** A longer word is cut at a grapheme instead. The dictionaries for zh, ja and th need this much context at most. */
const LOOKBACK_UNITS = 256;
const LOOKAHEAD_UNITS = 64;
/** Punctuation that belongs to the word before it, so that a chunk does not begin with it. */
const CLOSING = new Set(',.;:!?%)]}>\'"，。、；：！？％）］｝」』】〉》〕”’»…・ーฯๆ،؛؟۔।');
const MAX_CLOSING = 8;

/** The last end of a word of `text` in (`floor`, `reach`], trimmed of whitespace; 0 where there is none. */
export function lastWordEnd(text: string, floor: number, reach: number): number {
  const from = clearOfPair(text, Math.max(floor, reach - LOOKBACK_UNITS));
  const segments = words.segment(text.slice(from, clearOfPair(text, reach + LOOKAHEAD_UNITS)));
  let boundary = segments.containing(reach - from)?.index ?? 0;
  for (let i = 0; i < MAX_CLOSING && boundary > 0 && CLOSING.has(text.charAt(from + boundary)); i++) {
    boundary = segments.containing(boundary - 1)?.index ?? 0;
  }
  // Position 0 is where the text was cut for the segmenter, not a boundary that it has found.
  if (boundary === 0) return 0;
  const end = trimmedEnd(text, floor, from + boundary);
  return end > floor ? end : 0;
}

/**
 * The last end of a grapheme of `text` in (`floor`, `reach`], trimmed of whitespace; where a single grapheme fills all
 * of it, the last end of a code point. 0 where not even one code point fits.
 */
export function lastCharacterEnd(text: string, floor: number, reach: number): number {
  const segments = graphemes.segment(text.slice(0, clearOfPair(text, reach + LOOKAHEAD_UNITS)));
  const boundary = reach < text.length ? (segments.containing(reach)?.index ?? 0) : 0;
  const end = trimmedEnd(text, floor, boundary > floor ? boundary : clearOfPair(text, reach));
  return end > floor ? end : 0;
}

/** The starts of words of `text` in (`start`, `end`), ascending; a chunk may begin at each of them. */
export function wordStarts(text: string, start: number, end: number): number[] {
  const from = clearOfPair(text, start);
  const starts: number[] = [];
  for (const { index } of words.segment(text.slice(from, end))) {
    const at = from + index;
    if (at > start && !isSpace(text.charCodeAt(at)) && !CLOSING.has(text.charAt(at))) starts.push(at);
  }
  return starts;
}
