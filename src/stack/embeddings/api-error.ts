/** The error object of OpenAI's API. */
export interface ApiErrorBody {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** An answer other than 200: the HTTP status and the error object of its body. */
export interface ApiError {
  readonly status: number;
  readonly error: ApiErrorBody;
  /** How long the client should wait, for 429. */
  readonly retryAfterMs?: number;
}

function invalidRequest(
  status: number,
  message: string,
  param: string | null = null,
  code: string | null = null,
): ApiError {
  return { status, error: { message, type: 'invalid_request_error', param, code } };
}

/** 400 for a malformed or refused request. */
export function badRequest(
  message: string,
  param: string | null = null,
  code: string | null = null,
): ApiError {
  return invalidRequest(400, message, param, code);
}

/** 401, without repeating the key that was sent. */
export function invalidApiKey(): ApiError {
  return invalidRequest(401, 'Incorrect API key provided.', null, 'invalid_api_key');
}

/** 404 for a model that this server does not have. */
export function modelNotFound(model: string): ApiError {
  const message = `The model \`${model}\` does not exist or you do not have access to it.`;
  return invalidRequest(404, message, null, 'model_not_found');
}

/** 404 for a path that is not served. */
export function unknownPath(method: string, path: string): ApiError {
  return invalidRequest(404, `Invalid URL (${method} ${path})`, null, 'unknown_url');
}

/** 400 for more tokens than one request may hold. */
export function tooManyTokens(tokens: number, max: number): ApiError {
  const code = 'max_tokens_per_request';
  const message = `Requested ${tokens} tokens, max ${max} tokens per request`;
  return { status: 400, error: { message, type: code, param: null, code } };
}

/** 429 until the budget has refilled. */
export function rateLimited(
  model: string,
  kind: 'requests' | 'tokens',
  limit: number,
  requested: number,
  retryAfterMs: number,
): ApiError {
  const name = kind === 'requests' ? 'requests per min (RPM)' : 'tokens per min (TPM)';
  const what = requested > limit ? 'Request too large' : 'Rate limit reached';
  const wait = requested > limit ? '' : ` Please try again in ${(retryAfterMs / 1000).toFixed(3)}s.`;
  return {
    status: 429,
    error: {
      message: `${what} for ${model} on ${name}: Limit ${limit}, Requested ${requested}.${wait}`,
      type: kind,
      param: null,
      code: 'rate_limit_exceeded',
    },
    retryAfterMs,
  };
}

/** 429 that no waiting cures. */
export function insufficientQuota(): ApiError {
  const code = 'insufficient_quota';
  const message = 'You exceeded your current quota, please check your plan and billing details.';
  return { status: 429, error: { message, type: code, param: null, code } };
}

/** 500 and 503 of a service in trouble. */
export function serverError(status: 500 | 503): ApiError {
  const message =
    status === 500
      ? 'The server had an error while processing your request.'
      : 'The server is overloaded or not ready yet.';
  return { status, error: { message, type: 'server_error', param: null, code: null } };
}
