import type { EmbeddingSettings } from './settings.ts';

/**
 * US dollars for a million tokens, as OpenAI asks for requests that are answered at once (its Batch API takes half): its
 * pricing page, https://platform.openai.com/docs/pricing, as others quoted it in May 2026.
 */
const KNOWN_PRICES: ReadonlyMap<string, number> = new Map([
  ['text-embedding-3-small', 0.02],
  ['text-embedding-3-large', 0.13],
  ['text-embedding-ada-002', 0.1],
]);

/**
 * What the service asks for a million tokens: OPENAI_USD_PER_MILLION_TOKENS, or OpenAI's price of the model, whatever
 * the address and whatever provider's prefix (`openai/…`) stands before the name.
 *
 * @returns US dollars; null if no price is known, so that tokens can be counted only
 */
export function priceOf(
  settings: Pick<EmbeddingSettings, 'OPENAI_EMBEDDING_MODEL' | 'OPENAI_USD_PER_MILLION_TOKENS'>,
): number | null {
  const model = settings.OPENAI_EMBEDDING_MODEL.split('/').at(-1) ?? '';
  return settings.OPENAI_USD_PER_MILLION_TOKENS ?? KNOWN_PRICES.get(model) ?? null;
}
