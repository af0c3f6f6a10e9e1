import { APIConnectionTimeoutError, APIError } from 'openai';

import { Fault, type FaultCode } from '../errors.ts';
import { connectionDetail } from './connection.ts';
import { readRateHeaders, readRetryAfterMs, waitUntilAffordableMs } from './rate-headers.ts';

/** What the translation of an error has to know of the request. */
export interface FailedRequest {
  /** Of the caller; what it threw is no fault. */
  readonly signal: AbortSignal;
  /** What the request costs of the token budget. */
  readonly tokens: number;
  /** The wall clock, for Retry-After dates. @default Date.now() */
  readonly nowMs?: number;
}

/** The provider's codes that say more than the status they come with. */
const BY_CODE: ReadonlyMap<string, FaultCode> = new Map([
  ['insufficient_quota', 'embedding_quota_exhausted'],
  ['billing_hard_limit_reached', 'embedding_quota_exhausted'],
  ['billing_not_active', 'embedding_quota_exhausted'],
  ['model_not_found', 'embedding_model_missing'],
  ['invalid_api_key', 'embedding_access_denied'],
]);

/** Parameters that come from a setting: refused for one of them, every text would be. */
const BY_PARAMETER: ReadonlyMap<string, FaultCode> = new Map([
  ['dimensions', 'embedding_wrong_dimensions'],
  ['model', 'embedding_model_missing'],
]);

/** Statuses below 500; one that is not listed is unexpected, and 5xx are always transient. */
const BY_STATUS: ReadonlyMap<number, FaultCode> = new Map([
  [400, 'embedding_refused'],
  [401, 'embedding_access_denied'],
  [402, 'embedding_quota_exhausted'],
  [403, 'embedding_access_denied'],
  [404, 'embedding_model_missing'],
  [405, 'embedding_model_missing'],
  [407, 'embedding_access_denied'],
  [408, 'embedding_unavailable'],
  [409, 'embedding_unavailable'],
  [410, 'embedding_model_missing'],
  [413, 'embedding_refused'],
  [422, 'embedding_refused'],
  [425, 'embedding_unavailable'],
  [429, 'embedding_rate_limited'],
]);

/** An error code is taken over only if it looks like one: a message in its place may repeat the input. */
function plainCode(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\w.-]{1,64}$/.test(value) ? value : undefined;
}

/** Narrows to the client's error without the `any` of its type parameters. */
export function isApiError(error: unknown): error is APIError {
  return error instanceof APIError;
}

/** The first code on the way down an error's causes: `ECONNREFUSED`, `UND_ERR_SOCKET`. */
function causeCode(error: unknown): string | undefined {
  let at = error;
  for (let depth = 0; depth < 5 && at instanceof Error; depth += 1) {
    const code = plainCode((at as { code?: unknown }).code);
    if (code !== undefined) return code;
    at = at.cause;
  }
  return undefined;
}

/** Whether a 400 comes from a web server and not from an API: what it refuses is no text. */
function isPage(error: APIError): boolean {
  const type = error.headers?.get('content-type') ?? '';
  return /^text\/html/i.test(type) || /HTTP request to an HTTPS server/i.test(error.message);
}

/** A refusal that no text can be the reason for, with its words. */
function addressFault(status: number, error: APIError): Fault | undefined {
  if (status >= 300 && status < 400) {
    const advice = 'a redirect; OPENAI_BASE_URL has to be the address that it leads to, perhaps with https:';
    return new Fault('embedding_model_missing', `HTTP ${status}: ${advice}`);
  }
  if (status === 400 && isPage(error)) {
    const advice = 'a page of a web server; OPENAI_BASE_URL may have to begin with https:';
    return new Fault('embedding_model_missing', `HTTP ${status}: ${advice}`);
  }
  return undefined;
}

function statusFault(status: number, error: APIError, request: FailedRequest): Fault {
  const elsewhere = addressFault(status, error);
  if (elsewhere !== undefined) return elsewhere;
  const providerCode = plainCode(error.code) ?? plainCode(error.type);
  const detail = providerCode === undefined ? `HTTP ${status}` : `HTTP ${status} ${providerCode}`;
  const headers = error.headers ?? new Headers();
  const code =
    BY_CODE.get(error.code ?? '') ??
    BY_CODE.get(error.type ?? '') ??
    (status === 400 || status === 422 ? BY_PARAMETER.get(error.param ?? '') : undefined) ??
    (status >= 500 ? 'embedding_unavailable' : (BY_STATUS.get(status) ?? 'unexpected'));
  if (code === 'embedding_unavailable') {
    return new Fault(code, detail, { retryAfterMs: readRetryAfterMs(headers, request.nowMs ?? Date.now()) });
  }
  if (code !== 'embedding_rate_limited') return new Fault(code, detail);

  const reading = readRateHeaders(headers);
  const tokenLimit = reading.tokens?.limit;
  if (tokenLimit !== undefined && request.tokens > tokenLimit) {
    // No waiting makes it fit; refused, it is divided.
    return new Fault(
      'embedding_refused',
      `${detail}: ${request.tokens} tokens in a request, ${tokenLimit} a minute`,
    );
  }
  const retryAfterMs =
    readRetryAfterMs(headers, request.nowMs ?? Date.now()) ?? waitUntilAffordableMs(reading, request.tokens);
  return new Fault(code, detail, { retryAfterMs });
}

/**
 * Translates whatever a request threw. Details name the status and the provider's code only, and no driver error is kept
 * as the cause: its message may repeat the input, and causes travel into Temporal's history.
 *
 * @returns what to throw: the reason of the caller's signal if it has aborted, else a Fault; an error that no driver
 *   throws comes back as it is
 */
export function translateError(error: unknown, request: FailedRequest): unknown {
  if (request.signal.aborted) return request.signal.reason;
  if (error instanceof Fault) return error;
  if (isApiError(error)) {
    if (typeof error.status === 'number') return statusFault(error.status, error, request);
    const isLate = error instanceof APIConnectionTimeoutError;
    return new Fault('embedding_unavailable', isLate ? 'timed out' : connectionDetail(causeCode(error)));
  }
  // The client throws these bare: while it reads a body that breaks off, or decodes one that is malformed.
  if (error instanceof TypeError || error instanceof SyntaxError || error instanceof RangeError) {
    const code = causeCode(error);
    const detail =
      code === undefined
        ? `malformed answer: ${error.name}; if it stays so, check OPENAI_BASE_URL`
        : `broken answer: ${code}`;
    return new Fault('embedding_unavailable', detail);
  }
  return error;
}
