import table from 'gpt-tokenizer/bpeRanks/cl100k_base';

/**
 * Byte pair encoding of one piece with the cl100k_base vocabulary of gpt-tokenizer.
 *
 * Why not gpt-tokenizer's own merge: it is quadratic in the length of a piece (1,300 Chinese characters without
 * punctuation: 22 ms, 8,192 times `a`: 63 ms), and a chunk may be one such piece. This one keeps the open pairs in a
 * heap, O(n log n), and gives the same counts; the unit tests compare the two.
 */

const NO_RANK = -1;
/** Ranks are below this; a pair in the heap is `rank * POSITION + position`, exact in a double. */
const POSITION = 2 ** 32;

/** Rank of a token by its bytes, one UTF-16 unit a byte, because many tokens are not valid UTF-8. */
const rankOfBytes = new Map<string, number>();
/** The inverse of `rankOfBytes`. */
const bytesOfRank: string[] = [];
/** Rank of each token of one byte; together they are the alphabet that merging starts from. */
const rankOfByte = new Int32Array(256);

const encoder = new TextEncoder();
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf';

function bytesToString(bytes: Iterable<number>): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}

table.forEach((token, rank) => {
  const isText = typeof token === 'string';
  const bytes = isText && isAscii(token) ? token : bytesToString(isText ? encoder.encode(token) : token);
  // gpt-tokenizer never finds the eight tokens that begin with a byte order mark: its TextDecoder strips the mark.
  // Without them the counts are the same as its own, and at most one a mark above those of OpenAI.
  if (bytes.startsWith(BYTE_ORDER_MARK)) return;
  rankOfBytes.set(bytes, rank);
  bytesOfRank[rank] = bytes;
  if (bytes.length === 1) rankOfByte[bytes.charCodeAt(0)] = rank;
});

/**
 * Ranks of merged pairs, direct-mapped: a slot holds the pair seen last. Unlike a Map it cannot grow, and the pairs of
 * a language fit.
 */
const SLOT_BITS = 17;
const slotLeft = new Int32Array(1 << SLOT_BITS).fill(NO_RANK);
const slotRight = new Int32Array(1 << SLOT_BITS);
const slotRank = new Int32Array(1 << SLOT_BITS);

function pairRank(left: number, right: number): number {
  const slot = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> (32 - SLOT_BITS);
  if (slotLeft[slot] === left && slotRight[slot] === right) return slotRank[slot]!;
  const rank = rankOfBytes.get(bytesOfRank[left]! + bytesOfRank[right]!) ?? NO_RANK;
  slotLeft[slot] = left;
  slotRight[slot] = right;
  slotRank[slot] = rank;
  return rank;
}

/** Working memory of one merge: a doubly linked list of parts by position and a binary heap of open pairs. */
interface Scratch {
  readonly capacity: number;
  readonly bytes: Uint8Array;
  readonly token: Int32Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;
  readonly pair: Int32Array;
  readonly heap: Float64Array;
}

function createScratch(capacity: number): Scratch {
  return {
    capacity,
    bytes: new Uint8Array(capacity),
    token: new Int32Array(capacity),
    next: new Int32Array(capacity),
    previous: new Int32Array(capacity),
    pair: new Int32Array(capacity),
    // One entry for each first pair, at most two for each of fewer than `capacity` merges.
    heap: new Float64Array(3 * capacity),
  };
}

/** Enough for the longest piece of a chunk of 1,024 tokens; longer pieces get memory of their own. */
const shared = createScratch(64 * 1024);

let heapSize = 0;

function push(heap: Float64Array, key: number): void {
  let at = heapSize++;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]! <= key) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = key;
}

function pop(heap: Float64Array): number {
  const top = heap[0]!;
  const last = heap[--heapSize]!;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heapSize) break;
    if (child + 1 < heapSize && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return top;
}

function merge(scratch: Scratch, length: number): number {
  const { bytes, token, next, previous, pair, heap } = scratch;
  heapSize = 0;
  for (let i = 0; i < length; i++) {
    token[i] = rankOfByte[bytes[i]!]!;
    next[i] = i + 1;
    previous[i] = i - 1;
  }
  for (let i = 0; i < length; i++) {
    const rank = i + 1 < length ? pairRank(token[i]!, token[i + 1]!) : NO_RANK;
    pair[i] = rank;
    if (rank !== NO_RANK) push(heap, rank * POSITION + i);
  }
  let count = length;
  while (heapSize > 0) {
    const key = pop(heap);
    const rank = Math.floor(key / POSITION);
    const at = key - rank * POSITION;
    if (pair[at] !== rank) continue; // an entry that a neighbour's merge has made stale
    const gone = next[at]!;
    const after = next[gone]!;
    token[at] = rank;
    pair[gone] = NO_RANK;
    next[at] = after;
    if (after < length) previous[after] = at;
    count--;
    const right = after < length ? pairRank(rank, token[after]!) : NO_RANK;
    pair[at] = right;
    if (right !== NO_RANK) push(heap, right * POSITION + at);
    const before = previous[at]!;
    if (before < 0) continue;
    const left = pairRank(token[before]!, rank);
    pair[before] = left;
    if (left !== NO_RANK) push(heap, left * POSITION + before);
  }
  return count;
}

/** Counts of short pieces. Only of at most 12 units: V8 lets a longer slice keep its whole text (16 MiB) in memory. */
const counts = new Map<string, number>();
const CACHED_UNITS = 12;
const CACHED_PIECES = 65_536;

/**
 * Exact number of tokens of one piece, that is of one match of the split pattern.
 *
 * @param piece of any length; the time is O(n log n). Lone surrogates count as U+FFFD, as in gpt-tokenizer.
 */
export function countPiece(piece: string): number {
  const isShort = piece.length <= CACHED_UNITS;
  if (isShort) {
    const known = counts.get(piece);
    if (known !== undefined) return known;
  }
  const scratch = 3 * piece.length <= shared.capacity ? shared : createScratch(3 * piece.length);
  const { written } = encoder.encodeInto(piece, scratch.bytes);
  const isToken = written === piece.length && rankOfBytes.has(piece);
  const count = isToken ? 1 : merge(scratch, written);
  if (isShort) {
    if (counts.size >= CACHED_PIECES) counts.clear();
    counts.set(piece, count);
  }
  return count;
}
