import { setImmediate } from 'node:timers/promises';

import type { EmbeddingsRequest } from './embeddings-request.ts';
import { embedInto } from './feature-hashing.ts';
import { billedTokens } from './token-count.ts';

/** Other connections are looked at whenever so much time has passed. */
const MAX_BLOCKED_MS = 10;

/** The answer to a request, and what it costs. */
export interface EmbeddingsResponse {
  /** JSON, written piece by piece: JSON.stringify of the whole costs twice the time. */
  readonly body: string;
  readonly billedTokens: number;
}

/** Embeds the texts of a request and counts their tokens. */
export async function embeddingsResponse(request: EmbeddingsRequest): Promise<EmbeddingsResponse> {
  const vector = new Float32Array(request.dimensions);
  const sums = new Float64Array(request.dimensions);
  const bytes = Buffer.from(vector.buffer);
  const items: string[] = [];
  let tokens = 0;
  let lookedUpAt = performance.now();
  for (const [index, text] of request.texts.entries()) {
    if (performance.now() - lookedUpAt > MAX_BLOCKED_MS) {
      await setImmediate();
      lookedUpAt = performance.now();
    }
    tokens += billedTokens(text);
    embedInto(text, vector, sums);
    const embedding = request.base64 ? `"${bytes.toString('base64')}"` : `[${vector.join(',')}]`;
    items.push(`{"object":"embedding","index":${index},"embedding":${embedding}}`);
  }
  const tail = { model: request.model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
  const body = `{"object":"list","data":[${items.join(',')}],${JSON.stringify(tail).slice(1)}`;
  return { body, billedTokens: tokens };
}
