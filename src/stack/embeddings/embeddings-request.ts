import { type ApiError, badRequest, modelNotFound, tooManyTokens } from './api-error.ts';

/** The models served, with their full number of dimensions. */
export const MODELS: ReadonlyMap<string, number> = new Map([
  ['text-embedding-3-small', 1536],
  ['text-embedding-3-large', 3072],
]);

/** Inputs in one request. */
export const MAX_INPUTS = 2048;
/** Tokens in one input. */
export const MAX_INPUT_TOKENS = 8192;
/** Tokens in one request. */
export const MAX_REQUEST_TOKENS = 300_000;

/** A well-formed request to POST /v1/embeddings. */
export interface EmbeddingsRequest {
  readonly model: string;
  readonly dimensions: number;
  readonly base64: boolean;
  readonly texts: readonly string[];
  /** What it takes from the rate limit: UTF-8 bytes / 4, rounded up for each text. The bill counts otherwise. */
  readonly rateTokens: number;
  /** What is wrong with its content; such a request counts against the request limit but is not embedded. */
  readonly refusal: ApiError | null;
}

const PARAMETERS = new Set(['model', 'input', 'encoding_format', 'dimensions', 'user']);

function textsOf(input: unknown): readonly string[] | ApiError {
  if (typeof input === 'string') return [input];
  if (!Array.isArray(input) || input.length === 0) {
    return badRequest("'input' must be a string or a non-empty array of strings.", 'input');
  }
  const items = input as unknown[];
  if (items.every((item) => typeof item === 'string')) return items;
  if (items.some((item) => typeof item === 'number' || Array.isArray(item))) {
    return badRequest('Token arrays are not served here: send the texts as strings.', 'input');
  }
  return badRequest("'input' must be a string or an array of strings.", 'input');
}

function contentProblem(texts: readonly string[], refuse: readonly string[]): ApiError | null {
  if (texts.length > MAX_INPUTS) {
    const message = `Invalid 'input': array too long. Expected at most ${MAX_INPUTS} items, got ${texts.length}.`;
    return badRequest(message, 'input', 'array_above_max_length');
  }
  let bytes = 0;
  for (const [index, text] of texts.entries()) {
    if (text === '') return badRequest(`Invalid 'input[${index}]': the string must not be empty.`, 'input');
    const own = Buffer.byteLength(text);
    if (own > MAX_INPUT_TOKENS * 4) {
      const message = `Invalid 'input[${index}]': maximum context length is ${MAX_INPUT_TOKENS} tokens, requested ${Math.ceil(own / 4)}.`;
      return badRequest(message, 'input');
    }
    bytes += own;
  }
  if (bytes > MAX_REQUEST_TOKENS * 4) return tooManyTokens(Math.ceil(bytes / 4), MAX_REQUEST_TOKENS);
  if (texts.some((text) => refuse.some((part) => text.includes(part)))) {
    return badRequest("Invalid 'input': this text is not accepted.", 'input');
  }
  return null;
}

function isApiError(value: object): value is ApiError {
  return 'status' in value;
}

/** Checks a request's body (already parsed JSON). `refuse` holds the substrings that the service refuses. */
export function parseEmbeddingsRequest(
  body: unknown,
  refuse: readonly string[],
): EmbeddingsRequest | ApiError {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    return badRequest('We could not parse the JSON body of your request: expected an object.');
  }
  const fields = body as Record<string, unknown>;
  const unknown = Object.keys(fields).find((key) => !PARAMETERS.has(key));
  if (unknown !== undefined) return badRequest(`Unrecognized request argument supplied: ${unknown}`);

  const { model, input, encoding_format: format = 'float', dimensions, user = '' } = fields;
  if (typeof model !== 'string') return badRequest('you must provide a model parameter');
  const max = MODELS.get(model);
  if (max === undefined) return modelNotFound(model);
  if (format !== 'float' && format !== 'base64') {
    return badRequest("'encoding_format' must be 'float' or 'base64'.", 'encoding_format');
  }
  if (dimensions !== undefined && !(Number.isInteger(dimensions) && Number(dimensions) >= 1)) {
    return badRequest("'dimensions' must be a positive integer.", 'dimensions');
  }
  if (Number(dimensions ?? 1) > max) {
    const message = `Invalid value for 'dimensions' = ${Number(dimensions)}. Must be less than or equal to ${max}.`;
    return badRequest(message, 'dimensions');
  }
  if (typeof user !== 'string') return badRequest("'user' must be a string.", 'user');
  const texts = textsOf(input);
  if (isApiError(texts)) return texts;

  return {
    model,
    dimensions: (dimensions as number | undefined) ?? max,
    base64: format === 'base64',
    texts,
    rateTokens: texts.reduce((sum, text) => sum + Math.ceil(Buffer.byteLength(text) / 4), 0),
    refusal: contentProblem(texts, refuse),
  };
}
