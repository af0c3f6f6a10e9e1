import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { countTokens } from 'gpt-tokenizer/encoding/cl100k_base';
import OpenAI from 'openai';

import { embed } from '../../src/stack/embeddings/feature-hashing.ts';
import { RateLimits, formatReset } from '../../src/stack/embeddings/rate-limits.ts';
import type { Counters, PaidText } from '../../src/stack/embeddings/request-log.ts';
import { billedTokens } from '../../src/stack/embeddings/token-count.ts';

const SERVER = join(import.meta.dirname, '../../src/stack/embeddings-server.ts');
const KEY = 'sk-test';
const MODEL = 'text-embedding-3-small';
/** Every answer has reached its client. */
const WHOLE = { spoiltInputs: 0, lostInputs: 0 };

interface Running {
  readonly process: ChildProcess;
  readonly url: string;
}

async function start(log: string, port = 0): Promise<Running> {
  const args = [SERVER, '--host', '127.0.0.1', '--port', String(port), '--log', log, '--api-key', KEY];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const { port: taken } = JSON.parse(line.toString()) as { port: number };
  return { process: child, url: `http://127.0.0.1:${taken}` };
}

async function stop(server: Running, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  const exited = once(server.process, 'exit') as Promise<[number | null]>;
  server.process.kill(signal);
  return (await exited)[0];
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('feature hashing', () => {
  const nonZero = (vector: Float32Array): Record<number, number> =>
    Object.fromEntries(Array.from(vector.entries()).filter(([, value]) => value !== 0));

  it('hashes words with FNV-1a, index from the upper bits and sign from the lowest', () => {
    // FNV-1a of "a" is 0xe40c292c (even: sign -1).
    assert.deepEqual(nonZero(embed('a', 1536)), { [(0xe40c292c >>> 1) % 1536]: -1 });
    assert.deepEqual(embed('Hello, WORLD 42', 1536), embed('hello-world;42', 1536));
    assert.notDeepEqual(embed('ab', 1536), embed('a b', 1536));
  });

  it('takes each code point beyond ASCII and each adjacent pair', () => {
    assert.equal(Object.keys(nonZero(embed('数据库', 1536))).length, 5);
    assert.equal(Object.keys(nonZero(embed('数 据', 1536))).length, 2);
    assert.notDeepEqual(embed('数据', 1536), embed('据数', 1536));
  });

  it('has no zero vector, and unit length', () => {
    for (const text of [' ', '...', '\n', '🙂', '\ud800', 'x '.repeat(5000)]) {
      const squared = embed(text, 16).reduce((sum, value) => sum + value * value, 0);
      assert.ok(Math.abs(squared - 1) < 1e-6, JSON.stringify(text.slice(0, 10)));
    }
    assert.deepEqual(embed('\ud800!', 1536), embed('\ufffd!', 1536));
  });
});

describe('the bill', () => {
  const plain = (text: string): number =>
    countTokens(text, { allowedSpecial: new Set(), disallowedSpecial: new Set() });

  it('counts the tokens of cl100k_base, special ones as plain text', () => {
    const texts = [
      ...[
        'Ferries carry rows',
        '数据库系统',
        '<|endoftext|>',
        '🙂🙃',
        '\ud800',
        ' \n\n  x',
        "it's 12345 o'clock",
      ],
      ...['a'.repeat(2_048), 'one two '.repeat(500), `${'数据，'.repeat(400)} end`],
    ];
    for (const text of texts)
      assert.equal(billedTokens(text), plain(text), JSON.stringify(text.slice(0, 20)));
    assert.equal(billedTokens('<|endoftext|>'), 7);
  });

  it('cuts a word that is too long for the tokenizer, between characters', () => {
    for (const character of ['a', '数', '🙂', '=', ' ']) {
      const text = character.repeat(12_000);
      const pieces = Buffer.byteLength(text) / 2_048;
      const exact = plain(text);
      const counted = billedTokens(text);
      assert.ok(Math.abs(counted - exact) <= pieces * 2, `${character}: ${counted} instead of ${exact}`);
    }
  });
});

describe('rate limits', () => {
  it('writes durations as OpenAI does', () => {
    const written = [0, 120, 999.2, 1000, 8640, 60_000, 360_000, 3_600_000].map(formatReset);
    assert.deepEqual(written, ['0s', '120ms', '1s', '1s', '8.64s', '1m0s', '6m0s', '1h0m0s']);
  });

  it('refills evenly and never above one minute', () => {
    let now = 0;
    const limits = new RateLimits(() => now);
    limits.configure(60, 6000);
    for (let n = 0; n < 60; n += 1) assert.equal(limits.take(10), null);
    assert.deepEqual(limits.take(10), { kind: 'requests', limit: 60, requested: 1, waitMs: 1000 });
    now = 1000;
    assert.equal(limits.take(10), null);
    now = 3_600_000;
    assert.equal(limits.headers()['x-ratelimit-remaining-requests'], '60');
    assert.equal(limits.take(6000), null);
    assert.deepEqual(limits.take(3000), { kind: 'tokens', limit: 6000, requested: 3000, waitMs: 30_000 });
    assert.equal(limits.headers()['x-ratelimit-reset-tokens'], '1m0s');
  });
});

describe('embeddings server', () => {
  let folder: string;
  let server: Running;
  let openai: OpenAI;
  const log = (): string => join(folder, 'requests.jsonl');

  const control = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`${server.url}/control/${path}`, { method, body: JSON.stringify(body) });
    const answer = (await response.json()) as T;
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer;
  };
  const behave = (change: object): Promise<unknown> => control('PUT', 'behaviour', change);
  const create = (input: string | string[]) => openai.embeddings.create({ model: MODEL, input });
  const client = (options: { apiKey?: string; timeout?: number; agent?: string } = {}): OpenAI =>
    new OpenAI({
      apiKey: options.apiKey ?? KEY,
      baseURL: `${server.url}/v1`,
      maxRetries: 0,
      timeout: options.timeout,
      defaultHeaders: { 'user-agent': options.agent ?? 'worker-1' },
    });
  const failure = async (call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> => {
    const outcome = await call.then(
      () => null,
      (error: unknown) => error,
    );
    assert.ok(outcome instanceof OpenAI.APIError, 'the call must fail');
    return outcome;
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embeddings-server-'));
    server = await start(log());
    openai = client();
  });
  afterEach(async () => {
    await control('DELETE', 'behaviour');
    await control('POST', 'reset');
  });
  after(async () => {
    assert.equal(await stop(server), 0);
    await rm(folder, { recursive: true });
  });

  it('answers base64 and float alike, for both models and any dimensions', async () => {
    const text = 'Ferries carry rows – 渡船 – across the water';
    const base64 = await create([text, 'b']);
    const float = await openai.embeddings.create({ model: MODEL, input: text, encoding_format: 'float' });
    assert.deepEqual(base64.data[0]!.embedding, Array.from(embed(text, 1536)));
    assert.deepEqual(float.data[0]!.embedding, base64.data[0]!.embedding);
    assert.equal(base64.data[1]!.index, 1);
    const tokens = countTokens(text) + 1;
    assert.deepEqual(base64.usage, { prompt_tokens: tokens, total_tokens: tokens });

    const large = await openai.embeddings.create({ model: 'text-embedding-3-large', input: text });
    assert.equal(large.data[0]!.embedding.length, 3072);
    const short = await openai.embeddings.create({ model: MODEL, input: text, dimensions: 256, user: 'u' });
    assert.deepEqual(short.data[0]!.embedding, Array.from(embed(text, 256)));
    const models = await Array.fromAsync(openai.models.list());
    assert.deepEqual(
      models.map((model) => model.id),
      ['text-embedding-3-small', 'text-embedding-3-large'],
    );
  });

  it('refuses as OpenAI does', async () => {
    const wrongKey = await failure(
      client({ apiKey: 'sk-wrong' }).embeddings.create({ model: MODEL, input: 'a' }),
    );
    assert.equal(wrongKey.status, 401);
    assert.equal(wrongKey.code, 'invalid_api_key');
    assert.equal(wrongKey.type, 'invalid_request_error');
    const model = await failure(openai.embeddings.create({ model: 'no-such-model', input: 'a' }));
    assert.equal(model.status, 404);
    assert.equal(model.code, 'model_not_found');

    for (const input of ['', ['a', ''], [], ['a'.repeat(32_769)], Array<string>(2049).fill('a')]) {
      const error = await failure(create(input));
      assert.equal(error.status, 400);
      assert.equal(error.param, 'input');
    }
    const tooMany = await failure(create(Array<string>(40).fill('a'.repeat(30_004))));
    assert.equal(tooMany.code, 'max_tokens_per_request');
    const tokens = await failure(openai.embeddings.create({ model: MODEL, input: [1, 2] }));
    assert.equal(tokens.status, 400);
    const wide = await failure(openai.embeddings.create({ model: MODEL, input: 'a', dimensions: 1537 }));
    assert.equal(wide.param, 'dimensions');

    await create(['a'.repeat(32_768)]);
    await create(Array<string>(2048).fill('a'));
    await create(Array<string>(40).fill('a'.repeat(30_000)));
    assert.equal((await control<Counters>('GET', 'counters')).paidRequests, 3);
  });

  it('refuses a request with an input that contains a refused text', async () => {
    await behave({ refuse: ['POISON'] });
    const error = await failure(create(['fine', 'with POISON inside']));
    assert.equal(error.status, 400);
    assert.equal(error.param, 'input');
    await create(['fine']);
    const counters = await control<Counters>('GET', 'counters');
    assert.deepEqual(counters.statuses, { 200: 1, 400: 1 });
    assert.equal(counters.inputs, 1);
  });

  it('enforces RPM and TPM and says so in headers', async () => {
    await behave({ rpm: 60, tpm: 1000 });
    const { response } = await openai.embeddings
      .create({ model: MODEL, input: 'a'.repeat(3200) })
      .withResponse();
    assert.equal(response.headers.get('x-ratelimit-limit-requests'), '60');
    assert.equal(response.headers.get('x-ratelimit-remaining-requests'), '59');
    assert.match(response.headers.get('x-ratelimit-reset-requests')!, /^(1s|\d+ms)$/);
    assert.equal(response.headers.get('x-ratelimit-limit-tokens'), '1000');
    assert.match(response.headers.get('x-ratelimit-reset-tokens')!, /^4[78](\.\d+)?s$/);

    const error = await failure(create('b'.repeat(2000)));
    assert.equal(error.status, 429);
    assert.equal(error.code, 'rate_limit_exceeded');
    assert.equal(error.type, 'tokens');
    assert.match(error.headers!.get('retry-after')!, /^(17|18|19)$/);
    assert.equal(error.headers!.get('x-ratelimit-limit-tokens'), '1000');
    await behave({ retryAfter: false });
    assert.equal((await failure(create('b'.repeat(2000)))).headers!.get('retry-after'), null);
  });

  it('bills tokens, but limits by bytes', async () => {
    await behave({ tpm: 1000 });
    const { data, response } = await openai.embeddings
      .create({ model: MODEL, input: 'a'.repeat(3200) })
      .withResponse();
    assert.equal(data.usage.total_tokens, 400);
    // Refilled since by no more than a second's worth, unless the machine stands still.
    const left = Number(response.headers.get('x-ratelimit-remaining-tokens'));
    assert.ok(left >= 200 && left < 600, String(left));
    await failure(create('b'.repeat(3200)));
    assert.equal((await control<Counters>('GET', 'counters')).tokens, 400);
  });

  it('has outages, an exhausted quota, a changed key and latency', async () => {
    await behave({ outage: '503' });
    assert.equal((await failure(create('a'))).status, 503);
    await behave({ outage: '500' });
    assert.equal((await failure(create('a'))).status, 500);
    await behave({ outage: 'reset' });
    assert.ok((await failure(create('a'))) instanceof OpenAI.APIConnectionError);
    await behave({ outage: 'hang' });
    const hanging = client({ timeout: 200 }).embeddings.create({ model: MODEL, input: 'a' });
    assert.ok((await failure(hanging)) instanceof OpenAI.APIConnectionTimeoutError);
    assert.equal((await fetch(`${server.url}/health`)).status, 200);
    await behave({ outage: null, quotaExhausted: true });
    assert.equal((await failure(create('a'))).code, 'insufficient_quota');
    await behave({ quotaExhausted: false, apiKey: 'sk-other' });
    assert.equal((await failure(create('a'))).status, 401);
    await behave({ apiKey: null, latencyMs: 100, latencyPerInputMs: 50 });
    const startedAt = performance.now();
    await create(['a', 'b']);
    assert.ok(performance.now() - startedAt >= 195);

    const wrong = await fetch(`${server.url}/control/behaviour`, { method: 'PUT', body: '{"latency": 1}' });
    assert.equal(wrong.status, 400);
  });

  it('counts what was paid, by client and text, also over a kill -9', async () => {
    await create(['one', 'two']);
    await client({ agent: 'worker-2' }).embeddings.create({ model: MODEL, input: ['two', 'two'] });
    await failure(create(''));
    const counters = await control<Counters>('GET', 'counters');
    assert.deepEqual(counters, {
      requests: 3,
      paidRequests: 2,
      inputs: 4,
      tokens: 4,
      distinctTexts: 2,
      ...WHOLE,
      byClient: {
        'worker-1': { requests: 2, paidRequests: 1, inputs: 2, tokens: 2, distinctTexts: 2, ...WHOLE },
        'worker-2': { requests: 1, paidRequests: 1, inputs: 2, tokens: 2, distinctTexts: 1, ...WHOLE },
      },
      statuses: { 200: 2, 400: 1 },
    });
    const { texts } = await control<{ texts: PaidText[] }>('GET', 'texts?client=worker-2');
    assert.deepEqual(texts, [{ sha256: sha256('two'), count: 2 }]);
    const lines = (await readFile(log(), 'utf8')).trimEnd().split('\n');
    assert.equal(lines.length, 3);

    await stop(server, 'SIGKILL');
    server = await start(log(), Number(new URL(server.url).port));
    openai = client();
    assert.deepEqual(await control('GET', 'counters'), counters);
    await control('POST', 'reset');
    assert.equal(await readFile(log(), 'utf8'), '');
  });

  it('finishes the requests in hand on SIGTERM', async () => {
    const other = await start(join(folder, 'other.jsonl'));
    await fetch(`${other.url}/control/behaviour`, { method: 'PUT', body: '{"latencyMs":400}' });
    const answer = fetch(`${other.url}/v1/embeddings`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}` },
      body: JSON.stringify({ model: MODEL, input: 'a' }),
    });
    await sleep(150);
    const exit = stop(other);
    assert.equal((await answer).status, 200);
    assert.equal(await exit, 0);
  });
});
