import OpenAI from 'openai';

import { Fault } from '../errors.ts';
import { readAnswer } from './answer.ts';
import type { Embedder, EmbeddingModel } from './embedder.ts';
import { isApiError, translateError } from './errors.ts';
import { type Feedback, RateLimiter } from './limiter.ts';
import { MAX_INPUT_TOKENS, countTokens, packTexts } from './packing.ts';
import { readRateHeaders } from './rate-headers.ts';
import type { EmbeddingSettings } from './settings.ts';

/**
 * Of a minute's tokens one request takes at most one in so many. Small enough for several workers to take turns, and
 * for a budget below what one request may hold (a request above a minute's budget is always refused).
 */
const REQUESTS_IN_A_MINUTE = 16;

function createClient(settings: EmbeddingSettings, userAgent: string | undefined): OpenAI {
  return new OpenAI({
    apiKey: settings.OPENAI_API_KEY,
    baseURL: settings.OPENAI_BASE_URL,
    timeout: settings.OPENAI_TIMEOUT_SECONDS * 1_000,
    // Its own repeats would escape the limiter, and it ignores a Retry-After above 60 s.
    maxRetries: 0,
    // Null or 'off', lest the client looks into the environment itself; OPENAI_LOG=debug would print row content.
    organization: settings.OPENAI_ORG_ID ?? null,
    project: settings.OPENAI_PROJECT_ID ?? null,
    adminAPIKey: null,
    webhookSecret: null,
    logLevel: 'off',
    // From http to https, say, it would become a GET without texts, after the key had gone over the line in the clear.
    fetchOptions: { redirect: 'manual' },
    // A header is ASCII; the name of a host need not be.
    defaultHeaders:
      userAgent === undefined ? {} : { 'User-Agent': userAgent.replaceAll(/[^\x20-\x7e]/g, '?') },
  });
}

/**
 * Only the models text-embedding-3-* shorten their vectors, and services refuse the parameter for others; their length
 * is checked in the answer either way. A provider's prefix before the name (`openai/…`) does not matter.
 */
function dimensionsParameter({ model, dimensions }: EmbeddingModel): { dimensions?: number } {
  return model.includes('text-embedding-3-') ? { dimensions } : {};
}

function feedbackOn(fault: unknown, headers: Headers | undefined): Feedback {
  const reading = headers === undefined ? undefined : readRateHeaders(headers);
  if (fault instanceof Fault && fault.code === 'embedding_rate_limited') {
    return { outcome: 'limited', reading, retryAfterMs: fault.retryAfterMs };
  }
  return { outcome: 'failed', reading };
}

/** A refusal that does not say how long to wait is over when the limiter opens: a delay of its own would only add up. */
function withDelayOf(limiter: RateLimiter, fault: unknown): unknown {
  const isUnsaid =
    fault instanceof Fault && fault.code === 'embedding_rate_limited' && fault.retryAfterMs === undefined;
  return isUnsaid ? new Fault(fault.code, 'HTTP 429', { retryAfterMs: limiter.closedForMs }) : fault;
}

/**
 * An embedder over any OpenAI-compatible service. All calls of one embedder share one rate budget: make one a process.
 *
 * @param options.userAgent sent as User-Agent, so that the service's log tells workers apart
 */
export function createOpenAiEmbedder(
  settings: EmbeddingSettings,
  options: { userAgent?: string } = {},
): Embedder {
  const client = createClient(settings, options.userAgent);
  const limiter = new RateLimiter({
    requestsPerMinute: settings.OPENAI_RPM,
    tokensPerMinute: settings.OPENAI_TPM,
    maxConcurrency: settings.OPENAI_MAX_CONCURRENCY,
  });

  return {
    pace: () => limiter.pace,

    pack: (texts) => {
      const perMinute = limiter.tokensPerMinute ?? Number.POSITIVE_INFINITY;
      const maxTokens = Math.min(
        settings.OPENAI_MAX_REQUEST_TOKENS,
        Math.max(MAX_INPUT_TOKENS, Math.floor(perMinute / REQUESTS_IN_A_MINUTE)),
        perMinute,
      );
      return packTexts(texts, {
        maxInputs: settings.OPENAI_MAX_INPUTS,
        maxTokens,
        maxInputTokens: MAX_INPUT_TOKENS,
      });
    },

    embed: async (model, texts, { signal, stop, onWait, beforePaying }) => {
      signal.throwIfAborted();
      if (texts.length === 0) return { vectors: [], tokens: 0 };
      const tokens = texts.reduce((sum, text) => sum + countTokens(text), 0);
      const waiting = stop === undefined ? signal : AbortSignal.any([signal, stop]);
      const permit = await limiter.acquire(tokens, { signal: waiting, onWait });
      try {
        await beforePaying?.();
      } catch (error) {
        permit.release({ outcome: 'failed' });
        throw error;
      }
      let headers: Headers | undefined;
      try {
        // Base64 holds the same floats in 40 % of the bytes. Asked for by name: otherwise the client decodes it itself,
        // into arrays of twice the size, and for a full request keeps everything else waiting for 150 ms meanwhile.
        const { data, response } = await client.embeddings
          .create(
            {
              model: model.model,
              input: [...texts],
              encoding_format: 'base64',
              ...dimensionsParameter(model),
            },
            { signal },
          )
          .withResponse();
        headers = response.headers;
        permit.release({ outcome: 'answered', reading: readRateHeaders(headers) });
        return readAnswer(data, {
          inputs: texts.length,
          dimensions: model.dimensions,
          estimatedTokens: tokens,
        });
      } catch (error) {
        if (isApiError(error)) headers = error.headers;
        const translated = translateError(error, { signal, tokens });
        permit.release(feedbackOn(translated, headers));
        throw withDelayOf(limiter, translated);
      }
    },
  };
}
