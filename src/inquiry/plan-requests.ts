import type { Embedder } from '../embedding/embedder.ts';

/** Enough texts to fill several of the largest requests that a service takes. */
const ENOUGH_TEXTS = 8_192;
const ENOUGH_BYTES = 4 * 1_200_000;

/** Readable batch sizes; BATCH_SIZE goes up to 1,000. */
const READABLE = [10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1_000];

/**
 * How many texts fill one embedding request, as the embedder packs them.
 *
 * @param texts a sample; they are repeated until they fill several requests
 * @returns 1 or more; Infinity without texts
 */
export function inputsPerRequest(embedder: Pick<Embedder, 'pack'>, texts: readonly string[]): number {
  if (texts.length === 0) return Infinity;
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const times = Math.ceil(Math.max(1, Math.min(ENOUGH_TEXTS / texts.length, ENOUGH_BYTES / bytes)));
  const many = Array.from({ length: times }, () => texts).flat();
  const requests = embedder.pack(many);
  // The last one is what was left over.
  const full = requests.length > 1 ? requests.slice(0, -1) : requests;
  return full.reduce((sum, indexes) => sum + indexes.length, 0) / full.length;
}

/** Requests of a job whose batches have as many inputs each: a request never mixes batches. */
export function requestsOfBatches(inputs: number, batches: number, perRequest: number): number {
  if (inputs === 0 || batches === 0) return 0;
  return batches * Math.ceil(inputs / batches / perRequest);
}

/**
 * The batch size whose records fill about one embedding request: smaller batches pay for more requests, larger ones
 * only have more to repeat.
 *
 * @param inputs of all records
 * @param records with content
 * @returns 10 to 1,000
 */
export function recommendedBatchSize(inputs: number, records: number, perRequest: number): number {
  const rows = inputs === 0 ? Infinity : (perRequest * records) / inputs;
  return READABLE.findLast((size) => size <= rows) ?? (READABLE[0] as number);
}
