import type { Embedder, Pace } from '../embedding/embedder.ts';
import type { Check } from '../job/inquiry.ts';
import type { JobSpecification } from '../job/specification.ts';
import type { Attempt } from '../reconcile/patience.ts';
import { look, ok, problem, warning, type Failure } from './preflight-check.ts';

const LIMIT_MS = 20_000;
const WORD = 'probe';

/** Embeds one word, which shows key, model and dimensions at the cost of a token. */
export async function lookAtEmbedding(
  embedder: Embedder,
  { collection }: JobSpecification,
  attempt: Attempt,
): Promise<Check[]> {
  const { model, dimensions } = collection;
  const answer = await look(attempt, LIMIT_MS, (signal) =>
    embedder.embed({ model, dimensions }, [WORD], { signal, stop: signal }),
  );
  if ('failure' in answer) return [failed(answer.failure)];
  return [
    ok('embedding.model', `${model} answers with ${dimensions} dimensions.`),
    ok('embedding.pace', paceSentence(embedder.pace())),
  ];
}

function paceSentence({ requestsPerMinute, tokensPerMinute }: Pace): string {
  const limits = [
    ...(requestsPerMinute === null ? [] : [`${requestsPerMinute.toLocaleString('en-US')} requests`]),
    ...(tokensPerMinute === null ? [] : [`${tokensPerMinute.toLocaleString('en-US')} tokens`]),
  ];
  return limits.length === 0
    ? 'Neither settings nor the service limit the pace.'
    : `A worker process may take ${limits.join(' and ')} a minute.`;
}

function failed({ code, message }: Failure): Check {
  switch (code) {
    case 'embedding_rate_limited':
      return warning(
        'embedding.pace',
        message,
        'A job waits for its turn; look who else uses this key, or ask the provider for higher limits.',
      );
    case 'embedding_access_denied':
      return problem('embedding.model', message, 'Correct OPENAI_API_KEY.');
    case 'embedding_model_missing':
      return problem('embedding.model', message, 'Correct OPENAI_EMBEDDING_MODEL or OPENAI_BASE_URL.');
    case 'embedding_quota_exhausted':
      return problem('embedding.model', message, 'Add credit to the account of OPENAI_API_KEY.');
    case 'embedding_wrong_dimensions':
      return problem('embedding.model', message, 'Set OPENAI_EMBEDDING_DIMENSIONS to what the model gives.');
    case 'embedding_refused':
      return problem(
        'embedding.model',
        'The embedding service refuses even a single word.',
        'Check OPENAI_EMBEDDING_MODEL and OPENAI_EMBEDDING_DIMENSIONS.',
      );
    default:
      return problem(
        'embedding.model',
        message,
        'Check OPENAI_BASE_URL and that the worker may connect there; OPENAI_TIMEOUT_SECONDS bounds a request.',
      );
  }
}
