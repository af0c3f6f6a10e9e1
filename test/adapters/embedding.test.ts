import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type RequestListener, type Server, createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Embedder } from '../../src/embedding/embedder.ts';
import { createOpenAiEmbedder } from '../../src/embedding/openai.ts';
import { embeddingSettings } from '../../src/embedding/settings.ts';
import { Fault, type FaultCode } from '../../src/errors.ts';

const SERVER = join(import.meta.dirname, '../../src/stack/embeddings-server.ts');
const KEY = 'sk-test';
const MODEL = { model: 'text-embedding-3-small', dimensions: 1536 };
const never = new AbortController().signal;

interface Counters {
  readonly requests: number;
  readonly paidRequests: number;
  readonly tokens: number;
  readonly byClient: Record<string, { requests: number }>;
  readonly statuses: Record<string, number>;
}

function embedderOn(url: string, settings: Record<string, string> = {}, userAgent?: string): Embedder {
  return createOpenAiEmbedder(
    embeddingSettings.parse({ OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${url}/v1`, ...settings }),
    { userAgent },
  );
}

async function faultOf(call: Promise<unknown>): Promise<Fault> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
    return error;
  }
  throw new Error('expected a fault');
}

// What an embedder does when all is well is in test/conformance/embedding-suite.ts.

describe('the OpenAI embedder on a live server', () => {
  let folder: string;
  let server: ChildProcess;
  let url: string;

  const control = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(`${url}/control/${path}`, { method, body: JSON.stringify(body) });
    assert.equal(response.status, 200);
    return response.json();
  };
  const behave = (behaviour: object): Promise<unknown> => control('PUT', 'behaviour', behaviour);
  const counters = async (): Promise<Counters> => (await control('GET', 'counters')) as Counters;
  const embed = (texts: string[], settings: Record<string, string> = {}): ReturnType<Embedder['embed']> =>
    embedderOn(url, settings).embed(MODEL, texts, { signal: never });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ferry-embedding-'));
    const args = ['--host', '127.0.0.1', '--port', '0', '--log', join(folder, 'log.jsonl'), '--api-key', KEY];
    server = spawn(process.execPath, [SERVER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(server.stdout!, 'data')) as [Buffer];
    url = `http://127.0.0.1:${(JSON.parse(line.toString()) as { port: number }).port}`;
  });

  afterEach(async () => {
    await control('DELETE', 'behaviour');
    await control('POST', 'reset');
  });

  after(async () => {
    if (server.exitCode === null) {
      const exited = once(server, 'exit');
      server.kill('SIGKILL');
      await exited;
    }
    await rm(folder, { recursive: true, force: true });
  });

  it('makes one request a call, and none for nothing', async () => {
    const embedder = embedderOn(url, {}, 'vector-ferry/0.1.0 (höst-1)');
    assert.deepEqual(await embedder.embed(MODEL, [], { signal: never }), { vectors: [], tokens: 0 });
    await embedder.embed(MODEL, ['a', 'b'], { signal: never });
    assert.deepEqual(Object.keys((await counters()).byClient), ['vector-ferry/0.1.0 (h?st-1)']);
    assert.equal((await counters()).requests, 1);
  });

  it('sends nothing that is called off before it is paid, and gives its place to the next', async () => {
    const embedder = embedderOn(url, { OPENAI_MAX_CONCURRENCY: '1' });
    const { requests } = await counters();
    const calledOff = embedder.embed(MODEL, ['a'], {
      signal: never,
      beforePaying: () => Promise.reject(new Error('somebody else does it')),
    });
    await assert.rejects(calledOff, /somebody else does it/);
    assert.equal((await counters()).requests, requests);
    await embedder.embed(MODEL, ['a'], { signal: never });
    assert.equal((await counters()).requests, requests + 1);
  });

  it('packs what the server takes', async () => {
    const embedder = embedderOn(url);
    const texts = Array.from({ length: 2_100 }, (_, index) => `text ${index} ${'x'.repeat(index % 700)}`);
    const requests = embedder.pack(texts);
    assert.equal(requests.length, 2);
    for (const request of requests) {
      const { vectors } = await embedder.embed(
        MODEL,
        request.map((index) => texts[index]!),
        { signal: never },
      );
      assert.equal(vectors.length, request.length);
    }
  });

  it('knows the pace from its settings, then from the headers of an answer', async () => {
    await behave({ rpm: 600, tpm: 20_000 });
    const embedder = embedderOn(url, { OPENAI_RPM: '60' });
    assert.deepEqual(embedder.pace(), { requestsPerMinute: 60, tokensPerMinute: null });
    await embedder.embed(MODEL, ['a'], { signal: never });
    assert.deepEqual(embedder.pace(), { requestsPerMinute: 60, tokensPerMinute: 20_000 });
  });

  const refusals: [name: string, behaviour: object, expected: FaultCode, detail: RegExp][] = [
    ['a refused text', { refuse: ['poison'] }, 'embedding_refused', /HTTP 400/],
    [
      'a key that is not valid',
      { apiKey: 'other' },
      'embedding_access_denied',
      /OPENAI_API_KEY.*HTTP 401 invalid_api_key/,
    ],
    ['an empty quota', { quotaExhausted: true }, 'embedding_quota_exhausted', /HTTP 429 insufficient_quota/],
    ['503', { outage: '503' }, 'embedding_unavailable', /HTTP 503/],
    ['500', { outage: '500' }, 'embedding_unavailable', /HTTP 500/],
    ['a connection that breaks', { outage: 'reset' }, 'embedding_unavailable', /no connection: ECONNRESET/],
    ['silence', { outage: 'hang' }, 'embedding_unavailable', /timed out/],
  ];
  for (const [name, behaviour, expected, detail] of refusals) {
    it(`${name} is ${expected}, tried once`, async () => {
      await behave(behaviour);
      const fault = await faultOf(embed(['poison'], { OPENAI_TIMEOUT_SECONDS: '1' }));
      assert.equal(fault.code, expected);
      assert.match(fault.message, detail);
      assert.ok((await counters()).requests <= 1);
    });
  }

  it('names OPENAI_EMBEDDING_DIMENSIONS where the model cannot have so many', async () => {
    const wide = { ...MODEL, dimensions: 4_096 };
    const fault = await faultOf(embedderOn(url).embed(wide, ['a'], { signal: never }));
    assert.equal(fault.code, 'embedding_wrong_dimensions');
    assert.match(fault.message, /OPENAI_EMBEDDING_DIMENSIONS.*HTTP 400/);
  });

  it('names OPENAI_BASE_URL where it says https and http is spoken', async () => {
    const secure = embedderOn(url.replace('http:', 'https:'));
    const fault = await faultOf(secure.embed(MODEL, ['a'], { signal: never }));
    assert.equal(fault.code, 'embedding_unavailable');
    assert.match(fault.message, /no connection: ERR_SSL_\w+; does OPENAI_BASE_URL begin with http:/);
  });

  it('says how long to wait after a 429, and holds everybody back until then', async () => {
    await behave({ tpm: 600 });
    const embedder = embedderOn(url);
    const text = 'x'.repeat(4 * 500);
    await embed([text]);
    const fault = await faultOf(embedder.embed(MODEL, [text], { signal: never }));
    assert.equal(fault.code, 'embedding_rate_limited');
    assert.ok(fault.retryAfterMs! > 35_000 && fault.retryAfterMs! <= 40_000, String(fault.retryAfterMs));

    const told: (string | null)[] = [];
    const controller = new AbortController();
    const held = embedder.embed(MODEL, ['a'], { signal: controller.signal, onWait: (why) => told.push(why) });
    await sleep(200);
    assert.deepEqual(told, ['rate_budget']);
    const reason = new Error('cancelled');
    controller.abort(reason);
    await assert.rejects(held, reason);
    assert.deepEqual(told, ['rate_budget', null]);
    assert.equal((await counters()).requests, 2);
  });

  it('refuses a request above the budget of a minute, and packs below it from then on', async () => {
    await behave({ tpm: 20_000 });
    const embedder = embedderOn(url);
    const texts = Array.from({ length: 6 }, () => 'x'.repeat(4 * 4_000));
    assert.equal(embedder.pack(texts).length, 1);
    const fault = await faultOf(embedder.embed(MODEL, texts, { signal: never }));
    assert.equal(fault.code, 'embedding_refused');
    assert.equal(embedder.pack(texts).length, 3);
  });

  it('passes on the reason of a caller who gives up', async () => {
    await behave({ latencyMs: 300 });
    const controller = new AbortController();
    const reason = new Error('cancelled');
    const call = embedderOn(url).embed(MODEL, ['a'], { signal: controller.signal });
    setTimeout(() => controller.abort(reason), 100);
    await assert.rejects(call, reason);
    // The server pays for it all the same; let it do so before the counters begin anew.
    await sleep(400);
    assert.equal((await counters()).paidRequests, 1);
  });

  // How long they need for it is checked in simulated time, in test/unit/limiter.test.ts.
  it('three workers on one budget get everything through, and are seldom refused', async (t) => {
    const tpm = 600_000;
    const text = 'x'.repeat(4 * 2_000);
    const requests = 340;
    await behave({ tpm, latencyMs: 50 });
    let left = requests;
    const startedAt = performance.now();
    const work = async (embedder: Embedder): Promise<void> => {
      while (left > 0) {
        left -= 1;
        for (let done = false; !done;) {
          try {
            await embedder.embed(MODEL, [text], { signal: never });
            done = true;
          } catch (error) {
            assert.ok(error instanceof Fault && error.code === 'embedding_rate_limited', String(error));
            await sleep(error.retryAfterMs ?? 1_000);
          }
        }
      }
    };
    const workers = Array.from({ length: 3 }, () => embedderOn(url));
    await Promise.all(workers.flatMap((worker) => [work(worker), work(worker), work(worker), work(worker)]));
    const took = performance.now() - startedAt;
    const dictated = ((requests * 2_000 - tpm) / tpm) * 60_000;
    const { statuses, tokens } = await counters();
    // Eight letters a token on the bill, four against the limit.
    assert.equal(tokens, requests * 1_000);
    assert.ok((statuses['429'] ?? 0) <= requests / 4, JSON.stringify(statuses));
    t.diagnostic(`${Math.round(took)} of ${dictated} ms, ${JSON.stringify(statuses)}`);
  });
});

describe('the OpenAI embedder on damaged answers', () => {
  let server: Server;
  let answer: RequestListener;

  before(async () => {
    server = createServer((request, response) => {
      request.resume().on('end', () => answer(request, response));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });

  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const embedTwo = (): Promise<unknown> =>
    embedderOn(`http://127.0.0.1:${(server.address() as AddressInfo).port}`).embed(
      { model: 'other-model', dimensions: 2 },
      ['a', 'b'],
      { signal: never },
    );
  const base64 = (...parts: number[]): string =>
    Buffer.from(new Float32Array(parts).buffer).toString('base64');
  const json = (data: unknown) => JSON.stringify({ object: 'list', data });

  it('decodes base64 and counts the tokens itself if the service does not', async () => {
    answer = (_request, response) => {
      response.setHeader('content-type', 'application/json');
      response.end(
        json([
          { index: 1, embedding: base64(0, 1) },
          { index: 0, embedding: [1, 0] },
        ]),
      );
    };
    assert.deepEqual(await embedTwo(), {
      vectors: [Float32Array.of(1, 0), Float32Array.of(0, 1)],
      tokens: 2,
    });
  });

  const one = { index: 0, embedding: base64(1, 0) };
  const damaged: [name: string, body: string, expected: FaultCode][] = [
    ['too few vectors', json([one]), 'embedding_unavailable'],
    ['half a float', json([one, { index: 1, embedding: 'AAA=' }]), 'embedding_unavailable'],
    ['no number', json([one, { index: 1, embedding: base64(Number.NaN, 0) }]), 'embedding_unavailable'],
    ['no vector', json([one, { index: 1 }]), 'embedding_unavailable'],
    ['not JSON', '{"data": [', 'embedding_unavailable'],
    ['nothing', '', 'embedding_unavailable'],
    [
      'another length',
      json([0, 1].map((index) => ({ index, embedding: base64(1, 0, 0) }))),
      'embedding_wrong_dimensions',
    ],
  ];
  for (const [name, body, expected] of damaged) {
    it(`${name}: ${expected}`, async () => {
      answer = (_request, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(body);
      };
      assert.equal((await faultOf(embedTwo())).code, expected);
    });
  }

  it('takes a server that is not there as an outage, and names OPENAI_BASE_URL', async () => {
    const gone = createServer();
    await once(gone.listen(0, '127.0.0.1'), 'listening');
    const { port } = gone.address() as AddressInfo;
    await new Promise((resolve) => gone.close(resolve));
    const call = embedderOn(`http://127.0.0.1:${port}`).embed(MODEL, ['a'], { signal: never });
    const fault = await faultOf(call);
    assert.equal(fault.code, 'embedding_unavailable');
    assert.match(fault.message, /no connection: ECONNREFUSED; check OPENAI_BASE_URL/);
  });

  const elsewhere: [
    name: string,
    status: number,
    headers: Record<string, string>,
    body: string,
    FaultCode,
  ][] = [
    ['a page', 200, { 'content-type': 'text/html' }, '<html>secret</html>', 'embedding_unavailable'],
    ['other JSON', 200, { 'content-type': 'application/json' }, '{"secret":1}', 'embedding_unavailable'],
    ['a page that is not found', 404, { 'content-type': 'text/html' }, 'secret', 'embedding_model_missing'],
    ['a page of a port for https', 400, { 'content-type': 'text/html' }, 'secret', 'embedding_model_missing'],
    [
      'a sentence of a port for https',
      400,
      { 'content-type': 'text/plain' },
      'Client sent an HTTP request to an HTTPS server.',
      'embedding_model_missing',
    ],
    ['a redirect to https', 301, { location: 'https://127.0.0.1:9/' }, '', 'embedding_model_missing'],
    ['a redirect that keeps the method', 308, { location: '/v1/other' }, '', 'embedding_model_missing'],
  ];
  for (const [name, status, headers, body, expected] of elsewhere) {
    it(`an address that answers with ${name}: ${expected}, naming OPENAI_BASE_URL`, async () => {
      let requests = 0;
      answer = (_request, response) => {
        requests += 1;
        response.writeHead(status, headers).end(body);
      };
      const fault = await faultOf(embedTwo());
      assert.equal(fault.code, expected);
      assert.match(fault.message, /OPENAI_BASE_URL/);
      assert.ok(!fault.message.includes('secret'));
      assert.equal(requests, 1);
    });
  }

  it("still takes a web server's 413 for a request that is too large", async () => {
    answer = (_request, response) => response.writeHead(413, { 'content-type': 'text/html' }).end('<html>');
    assert.equal((await faultOf(embedTwo())).code, 'embedding_refused');
  });

  it('a page instead of an answer, and a body that breaks off: embedding_unavailable', async () => {
    answer = (_request, response) => response.end('<html>secret</html>');
    assert.equal((await faultOf(embedTwo())).code, 'embedding_unavailable');
    answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"data": [');
      setTimeout(() => response.destroy(), 50);
    };
    const fault = await faultOf(embedTwo());
    assert.equal(fault.code, 'embedding_unavailable');
    assert.match(fault.message, /broken answer: UND_ERR_SOCKET/);
  });
});
