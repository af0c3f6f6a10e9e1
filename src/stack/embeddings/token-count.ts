import { countTokens } from 'gpt-tokenizer/encoding/cl100k_base';
import { CL100K_TOKEN_SPLIT_REGEX } from 'gpt-tokenizer/encodingParams/constants';

/** Special tokens in a text, such as `<|endoftext|>`, are ordinary text to the embeddings API. */
const PLAIN_TEXT = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };

/** Longest stretch that the tokenizer gets at once: its time grows with the square of it (2,048 bytes: 4 ms). */
const MAX_PIECE_BYTES = 2_048;
/** In UTF-16 units, of at most three bytes each: a text without a run of so many has no piece above the limit. */
const LONG_RUN_UNITS = Math.floor(MAX_PIECE_BYTES / 3);
const LONG_RUN = new RegExp(`\\S{${LONG_RUN_UNITS}}|\\s{${LONG_RUN_UNITS}}`, 'u');
const pieces = new RegExp(CL100K_TOKEN_SPLIT_REGEX.source, 'gu');

/** Cuts a piece that is too long between characters, which costs a token more or less at each cut. */
function* cut(piece: string): Generator<string> {
  let part = '';
  let bytes = 0;
  for (const character of piece) {
    const own = Buffer.byteLength(character);
    if (bytes + own > MAX_PIECE_BYTES) {
      yield part;
      part = '';
      bytes = 0;
    }
    part += character;
    bytes += own;
  }
  yield part;
}

/**
 * Tokens of a text as OpenAI bills them: those of cl100k_base. Exact, but for a word or run of more than 2,048 bytes:
 * a token or so for each 2,048, which keeps the time in proportion to the length.
 *
 * @param text up to some 100,000 characters, as the server accepts it
 */
export function billedTokens(text: string): number {
  if (!LONG_RUN.test(text)) return countTokens(text, PLAIN_TEXT);
  let tokens = 0;
  for (const [piece] of text.matchAll(pieces)) {
    if (Buffer.byteLength(piece) <= MAX_PIECE_BYTES) tokens += countTokens(piece, PLAIN_TEXT);
    else for (const part of cut(piece)) tokens += countTokens(part, PLAIN_TEXT);
  }
  return tokens;
}
