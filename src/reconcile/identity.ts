import { createHash } from 'node:crypto';
import { v5 as uuidv5 } from 'uuid';
import { CHUNKER_VERSION, type ChunkingOptions } from '../chunking/chunker.ts';
import type { EmbeddingModel } from '../embedding/embedder.ts';

/** Namespace of all point ids: UUIDv5 of this URL. It never changes, or every collection would be written anew. */
const POINT_NAMESPACE = uuidv5('https://vector-ferry.dev/points', uuidv5.URL);

/**
 * The id of a point: the same record always gets the same points, whoever writes them.
 *
 * @param source `<label>/<table>`
 * @param ordinal of the parent, or of the child, within the record
 */
export function pointId(source: string, recordId: bigint, type: 'parent' | 'child', ordinal: number): string {
  return uuidv5(`${source}/${recordId}/${type}/${ordinal}`, POINT_NAMESPACE);
}

/**
 * Sha-256 over a record's content and all that shapes its dense vectors: equal checksums mean equal chunks and
 * vectors.
 *
 * @returns 64 hex digits
 */
export function recordChecksum(content: string, chunking: ChunkingOptions, model: EmbeddingModel): string {
  const shape = [
    CHUNKER_VERSION,
    chunking.parentTokens,
    chunking.childTokens,
    chunking.overlapTokens,
    model.model,
    model.dimensions,
  ];
  return createHash('sha256').update(JSON.stringify(shape)).update('\n').update(content).digest('hex');
}
