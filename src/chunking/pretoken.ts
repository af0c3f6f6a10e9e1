import { CL100K_TOKEN_SPLIT_REGEX } from 'gpt-tokenizer/encodingParams/constants';

/** The split pattern of cl100k_base, sticky. It matches every character, so matches tile a text. */
const pattern = new RegExp(CL100K_TOKEN_SPLIT_REGEX.source, 'uy');

/**
 * End of the pretoken that begins at `start`. cl100k_base merges bytes only within a pretoken, and a pretoken depends
 * on nothing before it, so the token counts of pretokens add up.
 *
 * @param text at most some 100,000 units: V8 throws "Maximum call stack size exceeded" on a match of millions
 * @param start below `text.length`, not between the halves of a surrogate pair
 */
export function pretokenEnd(text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(text) ? pattern.lastIndex : start + 1;
}
