import type { ChunkingOptions } from '../chunking/chunker.ts';
import type { EmbeddingModel } from '../embedding/embedder.ts';

/** Of the content: as it came from the server, as a string (2 bytes a character at most), and of what it was before. */
const COPIES = 4;
/** English has 4 to 5 bytes a token, Chinese about 3; a text of rarer script may have half as many. */
const BYTES_PER_TOKEN = 3;
/** A child besides its vector: ids, checksum, its place in maps, and its share of the parent. */
const BYTES_PER_CHILD = 1_024;
const BYTES_PER_FLOAT = 4;

/**
 * About how many bytes a process needs while it has a row in hand: its points are written together, once the vectors of
 * all of its children are there.
 *
 * @param contentBytes as stored
 */
export function largeRowBytes(
  contentBytes: number,
  { chunking, model }: { readonly chunking: ChunkingOptions; readonly model: EmbeddingModel },
): number {
  const bytesPerStep = (chunking.childTokens - chunking.overlapTokens) * BYTES_PER_TOKEN;
  const children = Math.ceil(contentBytes / bytesPerStep);
  return contentBytes * COPIES + children * (model.dimensions * BYTES_PER_FLOAT + BYTES_PER_CHILD);
}
