import { countPiece } from './bpe.ts';
import { pretokenEnd } from './pretoken.ts';
import { clearOfPair } from './surrogates.ts';

/** Longer texts are counted in blocks of this many UTF-16 units, because of the limit of `pretokenEnd`. */
const BLOCK_UNITS = 64 * 1024;

function countBlock(text: string): number {
  let count = 0;
  for (let at = 0; at < text.length;) {
    const end = pretokenEnd(text, at);
    count += countPiece(text.slice(at, end));
    at = end;
  }
  return count;
}

/**
 * Number of cl100k_base tokens of `text`. Special tokens such as `<|endoftext|>` are ordinary text, control characters
 * are allowed, and a lone surrogate counts as U+FFFD.
 *
 * Exact (equal to gpt-tokenizer's `encode`) up to 65,536 UTF-16 units; beyond that up to two tokens too many or too
 * few for each further 65,536. Time is O(n log n) for any text.
 */
export function countTokens(text: string): number {
  if (text.length <= BLOCK_UNITS) return countBlock(text);
  let count = 0;
  for (let at = 0; at < text.length;) {
    const end = clearOfPair(text, at + BLOCK_UNITS);
    count += countBlock(text.slice(at, end));
    at = end;
  }
  return count;
}
