import { Fault } from '../errors.ts';
import type { Embeddings } from './embedder.ts';

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

function isVector(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((part) => Number.isFinite(part));
}

/** Sorts the vectors by their index; each index has to be there once. */
function inOrder(items: readonly unknown[], inputs: number): number[][] {
  if (items.length !== inputs) throw malformed(`${items.length} vectors for ${inputs} texts`);
  const vectors = new Map<number, number[]>();
  for (const item of items) {
    if (!isRecord(item) || !Number.isInteger(item.index)) throw malformed('a vector without index');
    if (!isVector(item.embedding)) throw malformed('a vector that is not made of numbers');
    vectors.set(item.index as number, item.embedding);
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
