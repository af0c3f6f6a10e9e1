/** All texts of an answer together: Temporal refuses a result beyond 2 MiB, and JSON needs room for more than texts. */
const MAX_TEXT_BYTES = 1024 * 1024;

/** Cuts texts so that an answer fits; those that come first keep more. */
export class TextAllowance {
  #left: number;

  constructor(bytes = MAX_TEXT_BYTES) {
    this.#left = bytes;
  }

  /** @returns the text, or its beginning, or null if nothing is left for it */
  take(text: string): string | null {
    const bytes = Buffer.byteLength(text);
    if (bytes <= this.#left) {
      this.#left -= bytes;
      return text;
    }
    // A UTF-16 unit is at most three bytes of UTF-8.
    const beginning = text.slice(0, Math.floor(this.#left / 3)).replace(/[\ud800-\udbff]$/u, '');
    this.#left = 0;
    return beginning === '' ? null : `${beginning}…`;
  }
}
