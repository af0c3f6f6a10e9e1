import type { PayloadValue } from '../source/source.ts';

/**
 * All texts of an answer together, as JSON: Temporal refuses a result beyond 2 MiB, and all else that an answer may hold
 * (2,000 points, say) needs nearly as much.
 */
const MAX_TEXT_BYTES = 1024 * 1024;
/** Most of a copied value that an answer shows, as JSON: enough to know it again. */
const MAX_VALUE_BYTES = 16 * 1024;

/** Cuts texts so that an answer fits; those that come first keep more. */
export class TextAllowance {
  #left: number;

  constructor(bytes = MAX_TEXT_BYTES) {
    this.#left = bytes;
  }

  /**
   * @param mostBytes most that this text may have of it, as JSON
   * @returns the text, or its beginning with `…` after it, or null if nothing is left for it
   */
  take(text: string, mostBytes = Infinity): string | null {
    const allowed = Math.min(this.#left, mostBytes);
    const bytes = jsonBytes(text);
    if (bytes <= allowed) {
      this.#left -= bytes;
      return text;
    }
    const beginning = beginningWithin(text, allowed);
    // What is left of it would not hold a character.
    this.#left -= allowed;
    return beginning === '' ? null : `${beginning}…`;
  }

  /** @returns the value of a copied column, which may be long text, as JSON can have it: without 64-bit integers */
  takeValue(value: PayloadValue): string | number | boolean | null {
    if (typeof value === 'string') return this.take(value, MAX_VALUE_BYTES) ?? '…';
    return typeof value === 'bigint' ? String(value) : value;
  }
}

/** As JSON has it within its quotes, where a line break takes two bytes and a control character six. */
function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2;
}

/** Whole characters. */
function beginningWithin(text: string, bytes: number): string {
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += jsonBytes(character);
    if (used > bytes) break;
    end += character.length;
  }
  return text.slice(0, end);
}
