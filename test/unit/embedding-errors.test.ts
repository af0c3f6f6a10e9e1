import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';

import { readAnswer } from '../../src/embedding/answer.ts';
import { translateError } from '../../src/embedding/errors.ts';
import {
  parseDurationMs,
  readRateHeaders,
  readRetryAfterMs,
  waitUntilAffordableMs,
} from '../../src/embedding/rate-headers.ts';
import { embeddingSettings } from '../../src/embedding/settings.ts';
import { Fault, type FaultCode } from '../../src/errors.ts';

const NOW = Date.parse('2026-11-21T12:00:00Z');
const SECRET = 'sk-secret and the text of a row';

function apiError(status: number, code: string | null = null, headers: Record<string, string> = {}): unknown {
  const body = { error: { message: SECRET, type: 'some_error', param: null, code } };
  return APIError.generate(status, body, undefined, new Headers(headers));
}

function translate(error: unknown, tokens = 100): Fault {
  const fault = translateError(error, { signal: new AbortController().signal, tokens, nowMs: NOW });
  assert.ok(fault instanceof Fault, String(fault));
  assert.ok(!fault.message.includes('secret'), 'messages repeat nothing of the answer');
  assert.equal(fault.cause, undefined, 'the error of the driver does not travel');
  return fault;
}

describe('errors of the embedding service', () => {
  const table: [status: number, code: string | null, expected: FaultCode][] = [
    [400, null, 'embedding_refused'],
    [400, 'max_tokens_per_request', 'embedding_refused'],
    [413, null, 'embedding_refused'],
    [422, null, 'embedding_refused'],
    [401, 'invalid_api_key', 'embedding_access_denied'],
    [400, 'invalid_api_key', 'embedding_access_denied'],
    [403, null, 'embedding_access_denied'],
    [403, 'model_not_found', 'embedding_model_missing'],
    [404, 'model_not_found', 'embedding_model_missing'],
    [404, null, 'embedding_model_missing'],
    [402, null, 'embedding_quota_exhausted'],
    [429, 'insufficient_quota', 'embedding_quota_exhausted'],
    [429, 'rate_limit_exceeded', 'embedding_rate_limited'],
    [429, null, 'embedding_rate_limited'],
    [408, null, 'embedding_unavailable'],
    [409, null, 'embedding_unavailable'],
    [500, null, 'embedding_unavailable'],
    [502, null, 'embedding_unavailable'],
    [503, null, 'embedding_unavailable'],
    [529, 'overloaded', 'embedding_unavailable'],
    [418, null, 'unexpected'],
  ];
  for (const [status, code, expected] of table) {
    it(`${status} ${code ?? 'without code'} is ${expected}`, () => {
      const fault = translate(apiError(status, code));
      assert.equal(fault.code, expected);
      assert.match(fault.message, new RegExp(`HTTP ${status}${code === null ? '' : ` ${code}`}`));
    });
  }

  it('takes a parameter that comes from a setting as a wrong setting', () => {
    const parameters: [param: string, status: number, expected: FaultCode][] = [
      ['dimensions', 400, 'embedding_wrong_dimensions'],
      ['model', 422, 'embedding_model_missing'],
      ['input', 400, 'embedding_refused'],
    ];
    for (const [param, status, expected] of parameters) {
      const body = { error: { message: SECRET, type: 'invalid_request_error', param, code: null } };
      assert.equal(translate(APIError.generate(status, body, undefined, new Headers())).code, expected);
    }
  });

  it('names no code that may be a message', () => {
    const fault = translate(apiError(400, 'bad input: "sk-secret"'));
    assert.match(fault.message, /\(HTTP 400 some_error\)$/);
  });

  it('takes no connection and no answer in time as transient', () => {
    const cause = new TypeError('fetch failed', {
      cause: Object.assign(new Error(SECRET), { code: 'ECONNREFUSED' }),
    });
    const refused = translate(new APIConnectionError({ message: SECRET, cause }));
    assert.equal(refused.code, 'embedding_unavailable');
    assert.match(refused.message, /no connection: ECONNREFUSED/);
    const untrusted = Object.assign(new Error(SECRET), { code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    const refusedTls = translate(new APIConnectionError({ message: SECRET, cause: untrusted }));
    assert.match(refusedTls.message, /SELF_SIGNED_CERT_IN_CHAIN; set NODE_EXTRA_CA_CERTS/);
    assert.match(translate(new APIConnectionError({})).message, /no connection; check OPENAI_BASE_URL/);
    assert.match(translate(new APIConnectionTimeoutError()).message, /timed out/);
    assert.equal(translate(new APIUserAbortError()).code, 'embedding_unavailable');
    const closed = Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' });
    assert.match(translate(new TypeError('terminated', { cause: closed })).message, /UND_ERR_SOCKET/);
    assert.match(translate(new SyntaxError(SECRET)).message, /malformed answer: SyntaxError/);
  });

  it('leaves an error that it cannot explain as it is', () => {
    const error = new Error('a bug');
    assert.equal(translateError(error, { signal: new AbortController().signal, tokens: 1 }), error);
  });

  it('passes on the reason of the caller, whatever was thrown', () => {
    const reason = new Error('cancelled');
    const signal = AbortSignal.abort(reason);
    for (const error of [new APIUserAbortError(), apiError(500), new Error('x')]) {
      assert.equal(translateError(error, { signal, tokens: 1 }), reason);
    }
  });

  it('waits as long as the service asks, above a minute too', () => {
    const waits: [Record<string, string>, number | undefined][] = [
      [{ 'retry-after': '75' }, 75_000],
      [{ 'retry-after': '0.5' }, 500],
      [{ 'retry-after-ms': '120', 'retry-after': '1' }, 120],
      [{ 'retry-after': 'Sat, 21 Nov 2026 12:05:00 GMT' }, 300_000],
      [{ 'retry-after': 'Sat, 21 Nov 2026 11:00:00 GMT' }, undefined],
      [{ 'retry-after': '0' }, undefined],
      [{ 'retry-after': 'soon' }, undefined],
      [{}, undefined],
    ];
    for (const [headers, expected] of waits) {
      assert.equal(translate(apiError(429, null, headers)).retryAfterMs, expected);
      assert.equal(translate(apiError(503, null, headers)).retryAfterMs, expected);
    }
  });

  it('reads the wait from the reset headers if the service does not ask for one', () => {
    const headers = {
      'x-ratelimit-limit-tokens': '1000',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '1m0s',
    };
    assert.equal(translate(apiError(429, null, headers), 100).retryAfterMs, 6_000);
  });

  it('refuses a request above a whole budget, so that it is divided: no waiting makes it fit', () => {
    const headers = { 'x-ratelimit-limit-tokens': '1000', 'x-ratelimit-remaining-tokens': '1000' };
    const fault = translate(apiError(429, 'rate_limit_exceeded', headers), 1001);
    assert.equal(fault.code, 'embedding_refused');
  });
});

describe('rate headers', () => {
  it('reads durations', () => {
    const texts = ['120ms', '0s', '8.64s', '6m0s', '1h0m0s', '1d', '30', '', 'soon', '1x', null];
    assert.deepEqual(texts.map(parseDurationMs), [
      120,
      0,
      8_640,
      360_000,
      3_600_000,
      86_400_000,
      30_000,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('takes a budget that makes no sense as not said', () => {
    const headers = new Headers({
      'x-ratelimit-limit-requests': '-1',
      'x-ratelimit-remaining-requests': '5',
      'x-ratelimit-limit-tokens': '100',
      'x-ratelimit-remaining-tokens': '250',
      'x-ratelimit-reset-tokens': 'never',
    });
    assert.deepEqual(readRateHeaders(headers), {
      requests: undefined,
      tokens: { limit: 100, remaining: 100, resetMs: undefined },
    });
    assert.equal(waitUntilAffordableMs(readRateHeaders(headers), 50), undefined);
    assert.equal(readRetryAfterMs(new Headers({ 'retry-after-ms': '-3' }), NOW), undefined);
  });
});

describe('answers', () => {
  const expected = { inputs: 2, dimensions: 2, estimatedTokens: 7 };
  const item = (index: unknown, embedding: unknown): unknown => ({ index, embedding });
  const base64 = (...parts: number[]): string =>
    Buffer.from(Float32Array.from(parts).buffer).toString('base64');
  const refuse = (body: unknown): Fault => {
    try {
      readAnswer(body, expected);
    } catch (error) {
      assert.ok(error instanceof Fault);
      return error;
    }
    throw new Error('accepted');
  };

  it('orders the vectors by index', () => {
    const data = [item(1, [0, 1]), item(0, [1, 0])];
    const usage = { prompt_tokens: 5, total_tokens: 5 };
    assert.deepEqual(readAnswer({ data, usage }, expected), {
      vectors: [Float32Array.of(1, 0), Float32Array.of(0, 1)],
      tokens: 5,
    });
    assert.equal(readAnswer({ data }, expected).tokens, 7);
    assert.equal(readAnswer({ data, usage: { prompt_tokens: 'many' } }, expected).tokens, 7);
  });

  it('reads base64 as well as lists, exactly', () => {
    const parts = [0.1, -1 / 3];
    const { vectors } = readAnswer({ data: [item(0, base64(...parts)), item(1, parts)] }, expected);
    assert.deepEqual(vectors, Array(2).fill(Float32Array.from(parts)));
  });

  it('takes another length, the same for all, as a wrong setting', () => {
    const fault = refuse({ data: [item(0, [1, 0, 0]), item(1, [1, 0, 0])] });
    assert.equal(fault.code, 'embedding_wrong_dimensions');
    assert.match(fault.message, /3 instead of 2/);
  });

  it('takes anything else as damage', () => {
    const damaged: unknown[] = [
      null,
      'text',
      {},
      { data: {} },
      { data: [] },
      { data: [item(0, [1, 0])] },
      { data: [item(0, [1, 0]), item(0, [1, 0])] },
      { data: [item(0, [1, 0]), item(2, [1, 0])] },
      { data: [item(0, [1, 0]), item(1, [1, Number.NaN])] },
      { data: [item(0, [1, 0]), item(1, [1, Number.POSITIVE_INFINITY])] },
      { data: [item(0, [1, 0]), item(1, [1, null])] },
      { data: [item(0, [1, 0]), item(1, 'AAAA')] },
      { data: [item(0, [1, 0]), item(1, [1, '1'])] },
      { data: [item(0, [1, 0]), item(1, [1, 1e39])] },
      { data: [item(0, [1, 0]), item(1, '*AAAAAAAAAA=')] },
      { data: [item(0, [1, 0]), item(1, base64(1, Number.NaN))] },
      { data: [item(0, ''), item(1, '')] },
      { data: [item(0, [1, 0]), item(1, { 0: 1, 1: 0, length: 2 })] },
      { data: [item(0, [1, 0]), item(1, [])] },
      { data: [item(0, [1, 0]), item(1, [1])] },
      { data: [item(0, [1, 0]), item('1', [1, 0])] },
      { data: [item(0, [1, 0]), null] },
    ];
    for (const body of damaged) {
      assert.equal(refuse(body).code, 'embedding_unavailable', JSON.stringify(body));
    }
  });
});

describe('embedding settings', () => {
  it('takes the text of environment variables', () => {
    const settings = embeddingSettings.parse({ OPENAI_API_KEY: 'sk-1', OPENAI_TPM: '1000000' });
    assert.equal(settings.OPENAI_TPM, 1_000_000);
    assert.equal(settings.OPENAI_RPM, undefined);
    assert.equal(settings.OPENAI_BASE_URL, 'https://api.openai.com/v1');
    assert.equal(settings.OPENAI_EMBEDDING_MODEL, 'text-embedding-3-small');
    assert.equal(settings.OPENAI_EMBEDDING_DIMENSIONS, 1536);
    assert.equal(settings.OPENAI_MAX_CONCURRENCY, 8);
  });

  it('says what was expected', () => {
    const problems = embeddingSettings.safeParse({
      OPENAI_BASE_URL: 'api.openai.com',
      OPENAI_RPM: '0',
      OPENAI_TPM: 'many',
      OPENAI_MAX_CONCURRENCY: '1.5',
    }).error?.issues;
    assert.deepEqual(
      problems?.map(({ path }) => path[0]),
      ['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'OPENAI_RPM', 'OPENAI_TPM', 'OPENAI_MAX_CONCURRENCY'],
    );
    for (const { message } of problems ?? []) assert.match(message, /^expected /);
    assert.equal(embeddingSettings.safeParse({ OPENAI_API_KEY: 'sk-1\n' }).success, false);
  });

  it('describes every setting in one sentence', () => {
    for (const [name, field] of Object.entries(embeddingSettings.shape)) {
      assert.match(field.description ?? '', /^[A-Z].*\.$/, name);
    }
  });
});
