/**
 * The offline server's embedding function: deterministic signed feature hashing of a text into a unit vector.
 *
 * The specification, which test/audit implements a second time in Python:
 *
 * 1. Walk the text's code points (a lone surrogate counts as U+FFFD, as TextEncoder has it). A maximal run of ASCII
 *    letters and digits, lower-cased, is one feature. Each code point >= U+0080 is a feature, and so is each pair of
 *    code points >= U+0080 that stand next to each other. Everything else only separates.
 * 2. Each occurrence of a feature adds `sign` to `vector[index]`, where h is the 32-bit FNV-1a hash of the feature's
 *    UTF-8 bytes, `index = (h >>> 1) % dimensions` and `sign = h & 1 ? 1 : -1`.
 * 3. If the vector is then all zero (no feature, or all cancelled out), the whole text is added as one feature.
 * 4. The vector is divided by its Euclidean length in float64 and rounded to float32.
 *
 * Texts that share words or characters come out near each other, which is enough for searches of a demo to make sense.
 */

const OFFSET_BASIS = 0x811c9dc5;
const PRIME = 0x01000193;
const REPLACEMENT = 0xfffd;

/** FNV-1a continued with one byte. */
function fnvByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, PRIME);
}

/** FNV-1a continued with the UTF-8 bytes of one code point. */
function fnvCodePoint(hash: number, codePoint: number): number {
  if (codePoint < 0x80) return fnvByte(hash, codePoint);
  if (codePoint < 0x800) {
    return fnvByte(fnvByte(hash, 0xc0 | (codePoint >> 6)), 0x80 | (codePoint & 0x3f));
  }
  if (codePoint < 0x10000) {
    const head = fnvByte(fnvByte(hash, 0xe0 | (codePoint >> 12)), 0x80 | ((codePoint >> 6) & 0x3f));
    return fnvByte(head, 0x80 | (codePoint & 0x3f));
  }
  const head = fnvByte(fnvByte(hash, 0xf0 | (codePoint >> 18)), 0x80 | ((codePoint >> 12) & 0x3f));
  return fnvByte(fnvByte(head, 0x80 | ((codePoint >> 6) & 0x3f)), 0x80 | (codePoint & 0x3f));
}

/** The code point at `at` with lone surrogates replaced; it takes two places when it is >= U+10000. */
function scalarAt(text: string, at: number): number {
  const codePoint = text.codePointAt(at)!;
  return codePoint >= 0xd800 && codePoint <= 0xdfff ? REPLACEMENT : codePoint;
}

/** Lower-cased ASCII letter or digit, or -1. */
function wordByte(code: number): number {
  if ((code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39)) return code;
  return code >= 0x41 && code <= 0x5a ? code + 0x20 : -1;
}

function add(sums: Float64Array, hash: number): void {
  const index = (hash >>> 1) % sums.length;
  sums[index]! += hash & 1 ? 1 : -1;
}

function addFeatures(sums: Float64Array, text: string): void {
  let word = OFFSET_BASIS;
  let inWord = false;
  let previous = 0;
  let previousOpen = false;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code < 0x80) {
      const byte = wordByte(code);
      if (byte >= 0) {
        word = fnvByte(word, byte);
        inWord = true;
      } else if (inWord) {
        add(sums, word);
        word = OFFSET_BASIS;
        inWord = false;
      }
      previousOpen = false;
      at += 1;
      continue;
    }
    if (inWord) {
      add(sums, word);
      word = OFFSET_BASIS;
      inWord = false;
    }
    const codePoint = scalarAt(text, at);
    const single = fnvCodePoint(OFFSET_BASIS, codePoint);
    add(sums, single);
    if (previousOpen) add(sums, fnvCodePoint(previous, codePoint));
    previous = single;
    previousOpen = true;
    at += codePoint >= 0x10000 ? 2 : 1;
  }
  if (inWord) add(sums, word);
}

function squaredLength(sums: Float64Array): number {
  let total = 0;
  for (let at = 0; at < sums.length; at += 1) total += sums[at]! * sums[at]!;
  return total;
}

/**
 * Embeds a text into `into`, whose length is the number of dimensions, and returns it. `sums` is scratch space of the
 * same length, so that a request of 2,048 texts allocates nothing per text.
 */
export function embedInto(text: string, into: Float32Array, sums: Float64Array): Float32Array {
  sums.fill(0);
  addFeatures(sums, text);
  let squared = squaredLength(sums);
  if (squared === 0) {
    let hash = OFFSET_BASIS;
    for (let at = 0; at < text.length;) {
      const codePoint = scalarAt(text, at);
      hash = fnvCodePoint(hash, codePoint);
      at += codePoint >= 0x10000 ? 2 : 1;
    }
    add(sums, hash);
    squared = 1;
  }
  const length = Math.sqrt(squared);
  for (let at = 0; at < sums.length; at += 1) into[at] = sums[at]! / length;
  return into;
}

/** The vector of one text. */
export function embed(text: string, dimensions: number): Float32Array {
  return embedInto(text, new Float32Array(dimensions), new Float64Array(dimensions));
}
