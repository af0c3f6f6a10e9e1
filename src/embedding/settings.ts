import { z } from 'zod';

import { numberSetting } from '../number-setting.ts';
import { MAX_INPUTS, MAX_REQUEST_TOKENS } from './packing.ts';

/** Printable ASCII without spaces: what can stand in a header, so a stray newline is found before the first request. */
function token(what: string) {
  const error = `expected ${what}: printable ASCII characters without spaces`;
  return z.string({ error }).regex(/^[\x21-\x7e]+$/, { error });
}

/** Where texts are embedded and how fast; the keys are the names of the environment variables. */
export const embeddingSettings = z.object({
  OPENAI_API_KEY: token('an API key').describe(
    'Key of the embedding service; any word for a server that asks for none.',
  ),
  OPENAI_BASE_URL: z
    .url({ protocol: /^https?$/, error: 'expected an http or https URL such as https://api.openai.com/v1' })
    .default('https://api.openai.com/v1')
    .describe('Address of any OpenAI-compatible embedding service, with its /v1.'),
  OPENAI_EMBEDDING_MODEL: z
    .string({ error: "expected a model's name" })
    .trim()
    .min(1, { error: "expected a model's name" })
    .default('text-embedding-3-small')
    .describe('Model that new jobs embed with.'),
  OPENAI_EMBEDDING_DIMENSIONS: numberSetting({ min: 1, max: 65_536 })
    .default(1536)
    .describe('Length of the vectors; asked for where the model can shorten them (text-embedding-3-*).'),
  OPENAI_RPM: numberSetting({ min: 1, max: 1_000_000_000 })
    .optional()
    .describe(
      'Requests per minute that one worker process may make; unset, the headers of the service say it.',
    ),
  OPENAI_TPM: numberSetting({ min: 1, max: 1_000_000_000_000 })
    .optional()
    .describe(
      'Tokens per minute that one worker process may send; unset, the headers of the service say it.',
    ),
  OPENAI_MAX_CONCURRENCY: numberSetting({ min: 1, max: 1_000 })
    .default(8)
    .describe('Embedding requests in flight at once in one worker process.'),
  // Node's fetch gives up after 300 s on its own.
  OPENAI_TIMEOUT_SECONDS: numberSetting({ min: 1, max: 300 })
    .default(120)
    .describe('Seconds after which an embedding request without an answer is given up and repeated.'),
  OPENAI_MAX_INPUTS: numberSetting({ min: 1, max: 1_000_000 })
    .default(MAX_INPUTS)
    .describe('Texts in one embedding request; lower it for a server that accepts fewer than OpenAI.'),
  OPENAI_MAX_REQUEST_TOKENS: numberSetting({ min: 1, max: 1_000_000_000 })
    .default(MAX_REQUEST_TOKENS)
    .describe('Tokens in one embedding request, counted as UTF-8 bytes / 4.'),
  OPENAI_USD_PER_MILLION_TOKENS: numberSetting({ min: 0, max: 1_000_000, whole: false })
    .optional()
    .describe(
      "Price of the model, for estimates and the ledger; unset: OpenAI's own for its three models, whatever the address.",
    ),
  OPENAI_ORG_ID: token('an organization id')
    .optional()
    .describe('Organization to bill, where the key belongs to several.'),
  OPENAI_PROJECT_ID: token('a project id')
    .optional()
    .describe('Project to bill, where the key belongs to several.'),
});

/** Checked settings of the embedding service. */
export type EmbeddingSettings = z.infer<typeof embeddingSettings>;
