import { setImmediate } from 'node:timers/promises';

import type { EmbeddingsRequest } from './embeddings-request.ts';
import { embedInto } from './feature-hashing.ts';

/** Texts embedded between two looks at other connections. */
const TEXTS_AT_A_TIME = 128;

/** The JSON body of the answer to a request, written piece by piece: JSON.stringify of the whole costs twice the time. */
export async function embeddingsResponse(request: EmbeddingsRequest): Promise<string> {
  const vector = new Float32Array(request.dimensions);
  const sums = new Float64Array(request.dimensions);
  const bytes = Buffer.from(vector.buffer);
  const items: string[] = [];
  for (const [index, text] of request.texts.entries()) {
    if (index > 0 && index % TEXTS_AT_A_TIME === 0) await setImmediate();
    embedInto(text, vector, sums);
    const embedding = request.base64 ? `"${bytes.toString('base64')}"` : `[${vector.join(',')}]`;
    items.push(`{"object":"embedding","index":${index},"embedding":${embedding}}`);
  }
  const { model, tokens } = request;
  const tail = { model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
  return `{"object":"list","data":[${items.join(',')}],${JSON.stringify(tail).slice(1)}`;
}
