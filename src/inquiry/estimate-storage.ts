/** Links of the HNSW graph: 2m at its lowest level, and as many again at most above it and for filtered searches. */
const GRAPH_BYTES = 4 * (16 * 2) * 1.5;
/** A word of a child in the sparse vector and in its inverted index; a child has about one word in two tokens. */
const SPARSE_BYTES_PER_TOKEN = 16 / 2;
/** Ids, hashes, counts and keys of a point's payload, without its text. */
const FIELD_BYTES = 600;
/** Payload indexes and the id of a point; measured with eight indexes. */
const INDEX_BYTES = 430;

/** What takes space in Qdrant. */
export interface StoredPoints {
  readonly parents: number;
  readonly children: number;
  /** Of the children. */
  readonly tokens: number;
  /** UTF-8 bytes of the texts of parents and children. */
  readonly textBytes: number;
}

/**
 * What points need in Qdrant, in bytes, beside what a server needs anyway (WAL, a second copy of a segment while it is
 * optimized):
 *
 * - disk: dense vectors (4 bytes × dimensions × children), binary quantized ones (a bit × dimensions × children, if
 *   they are wanted), graph (192 bytes × children), sparse vectors (8 bytes × tokens), payload (600 bytes × points,
 *   and the text twice: of parents and of children), payload indexes (430 bytes × points);
 * - memory for searches at full speed: the dense vectors, which lie on disk, in the page cache, or in their place the
 *   binary quantized ones; graph and payload indexes.
 */
export function storageNeed(
  { parents, children, tokens, textBytes }: StoredPoints,
  { dimensions, binaryQuantization }: { dimensions: number; binaryQuantization: boolean },
): { diskBytes: number; memoryBytes: number } {
  const points = parents + children;
  const dense = 4 * dimensions * children;
  const quantized = binaryQuantization ? Math.ceil(dimensions / 8) * children : 0;
  const graph = GRAPH_BYTES * children;
  const indexes = INDEX_BYTES * points;
  const sparse = SPARSE_BYTES_PER_TOKEN * tokens;
  return {
    diskBytes: Math.round(dense + quantized + graph + sparse + FIELD_BYTES * points + textBytes + indexes),
    memoryBytes: Math.round((binaryQuantization ? quantized : dense) + graph + indexes),
  };
}
