import { Fault } from '../errors.ts';
import type { Embeddings, Vector } from './embedder.ts';

/** What was asked for. */
export interface ExpectedAnswer {
  readonly inputs: number;
  readonly dimensions: number;
  /** Taken where the service does not say what it counted. */
  readonly estimatedTokens: number;
}

function malformed(what: string): Fault {
  return new Fault('embedding_unavailable', `malformed answer: ${what}`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** @param embedding base64 of little-endian floats as asked for, or a list of numbers: some servers know no other */
function vectorOf(embedding: unknown): Vector {
  const vector = typeof embedding === 'string' ? decoded(embedding) : listed(embedding);
  // Also for what overflows a float. A loop: a callback for each of three million numbers takes five times as long.
  for (const part of vector) if (!Number.isFinite(part)) throw notNumbers();
  if (vector.length === 0) throw notNumbers();
  return vector;
}

function decoded(base64: string): Vector {
  const bytes = Buffer.byteLength(base64, 'base64');
  const vector = new Float32Array(Math.floor(bytes / Float32Array.BYTES_PER_ELEMENT));
  // Fewer where half a float has no room, and where Node leaves out what is no base64.
  if (Buffer.from(vector.buffer).write(base64, 'base64') !== bytes) throw notNumbers();
  return vector;
}

function listed(embedding: unknown): Vector {
  // Of anything but a number, a Float32Array would make one.
  if (!Array.isArray(embedding) || !embedding.every((part) => typeof part === 'number')) throw notNumbers();
  return Float32Array.from(embedding);
}

function notNumbers(): Fault {
  return malformed('a vector that is not made of numbers');
}

/** Sorts the vectors by their index; each index has to be there once. */
function inOrder(items: readonly unknown[], inputs: number): Vector[] {
  if (items.length !== inputs) throw malformed(`${items.length} vectors for ${inputs} texts`);
  const vectors = new Map<number, Vector>();
  for (const item of items) {
    if (!isRecord(item) || !Number.isInteger(item.index)) throw malformed('a vector without index');
    vectors.set(item.index as number, vectorOf(item.embedding));
  }
  return Array.from({ length: inputs }, (_, index) => {
    const vector = vectors.get(index);
    if (vector === undefined) throw malformed(`no vector with index ${index}`);
    return vector;
  });
}

function countedTokens(usage: unknown): number | undefined {
  if (!isRecord(usage)) return undefined;
  return [usage.prompt_tokens, usage.total_tokens].find(
    (tokens): tokens is number => Number.isSafeInteger(tokens) && Number(tokens) >= 0,
  );
}

/**
 * Checks the parsed body of a 200, of which nothing is taken for granted, and puts the vectors in the order of the
 * texts.
 *
 * @throws Fault `embedding_wrong_dimensions` if all vectors agree on another length, `embedding_unavailable` for
 *   anything else that is wrong: that is damage, and may be right the next time
 */
export function readAnswer(body: unknown, expected: ExpectedAnswer): Embeddings {
  if (!isRecord(body) || !Array.isArray(body.data)) {
    throw malformed('no list of vectors; if it stays so, check OPENAI_BASE_URL');
  }
  const vectors = inOrder(body.data, expected.inputs);
  const lengths = new Set(vectors.map((vector) => vector.length));
  if (lengths.size > 1) throw malformed('vectors of different lengths');
  const [length = expected.dimensions] = lengths;
  if (length !== expected.dimensions) {
    throw new Fault('embedding_wrong_dimensions', `${length} instead of ${expected.dimensions}`);
  }
  return { vectors, tokens: countedTokens(body.usage) ?? expected.estimatedTokens };
}
