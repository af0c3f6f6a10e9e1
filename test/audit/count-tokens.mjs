/**
 * Counts cl100k_base tokens: one JSON string a line on stdin, one number a line on stdout. Python has no tokenizer that
 * brings the ranks of cl100k_base along, so the audit asks this script. It uses a package, no code of the product.
 */
import { createInterface } from 'node:readline';

import { countTokens } from 'gpt-tokenizer/encoding/cl100k_base';

const PLAIN_TEXT = { allowedSpecial: new Set(), disallowedSpecial: new Set() };

// Merging takes quadratic time in the length of a run. Only runs that no chunk within its limit has are cut.
const LONG_RUN = /(\S{20000}|\s{20000})/u;

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const pieces = JSON.parse(line).split(LONG_RUN);
  const tokens = pieces.reduce((sum, piece) => sum + (piece === '' ? 0 : countTokens(piece, PLAIN_TEXT)), 0);
  process.stdout.write(`${tokens}\n`);
}
