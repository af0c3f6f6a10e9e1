import { splitChildren } from './children.ts';
import { chunkEnd } from './cut.ts';
import { skipSpace } from './whitespace.ts';

/** Part of every checksum: a change of any output, however small, has to raise it. */
export const CHUNKER_VERSION = 1;

/** Sizes in cl100k_base tokens. */
export interface ChunkingOptions {
  /** Most tokens of a parent. @default 1024 */
  readonly parentTokens: number;
  /** Most tokens of a child, at least 4 and at most `parentTokens`. @default 256 */
  readonly childTokens: number;
  /** Most tokens that a child repeats of the one before it, below `childTokens`. @default 32 */
  readonly overlapTokens: number;
}

export const DEFAULT_CHUNKING: ChunkingOptions = Object.freeze({
  parentTokens: 1024,
  childTokens: 256,
  overlapTokens: 32,
});

/** A part of a record, trimmed, and the children that cover it in order; at least one. */
export interface Parent {
  readonly text: string;
  readonly children: readonly string[];
}

/** A yield follows the parent that completes this many UTF-16 units. A parent has at most 16 units a token. */
const UNITS_PER_YIELD = 4 * 1024;
/** Whitespace takes a thousandth of the time. */
const SPACES_PER_YIELD = 1024 * 1024;

function nextMacrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function assertOptions({ parentTokens, childTokens, overlapTokens }: ChunkingOptions): void {
  const areIntegers = [parentTokens, childTokens, overlapTokens].every(Number.isSafeInteger);
  // Four tokens hold any code point, so that every text can be cut.
  if (!areIntegers || childTokens < 4 || childTokens > parentTokens) {
    throw new RangeError(`Chunk sizes have to be whole numbers with 4 <= childTokens <= parentTokens.`);
  }
  if (overlapTokens < 0 || overlapTokens >= childTokens) {
    throw new RangeError(`overlapTokens has to be at least 0 and below childTokens.`);
  }
}

/**
 * Cuts a record into parents and each parent into children. All are substrings, trimmed, in order, never empty and
 * within their limit by an exact count. Parents do not overlap and hold every non-whitespace character; children
 * cover their parent and overlap. Depends on nothing but the arguments (and the Unicode version of the runtime).
 *
 * @param content any string; a blank one has no parents
 * @param yieldNow awaited every 4,096 UTF-16 units and a parent (of at most 16 units a token), so that timers run and a
 *   heartbeat does not starve. By default one turn of the event loop.
 * @throws RangeError when the options cannot be met
 */
export async function chunk(
  content: string,
  options: ChunkingOptions = DEFAULT_CHUNKING,
  yieldNow: () => Promise<void> = nextMacrotask,
): Promise<Parent[]> {
  assertOptions(options);
  const text = content.trimEnd();
  const parents: Parent[] = [];
  let yieldedAt = 0;
  for (let at = 0; at < text.length;) {
    const start = skipSpace(text, at, Math.min(text.length, at + SPACES_PER_YIELD));
    if (start === at + SPACES_PER_YIELD) {
      await yieldNow();
      at = start;
      continue;
    }
    const end = chunkEnd(text, start, start, options.parentTokens);
    const parent = text.slice(start, end);
    parents.push({
      text: parent,
      children: splitChildren(parent, options.childTokens, options.overlapTokens),
    });
    at = end;
    if (at - yieldedAt >= UNITS_PER_YIELD && at < text.length) {
      yieldedAt = at;
      await yieldNow();
    }
  }
  return parents;
}
