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

  it('returns one unit vector a text, in order, and the tokens', async () => {
    const texts = ['alpha beta', '数据库', 'gamma'];
    const together = await embed(texts);
    assert.equal(together.tokens, 3 + 3 + 2);
    for (const [index, text] of texts.entries()) {
      const [alone] = (await embed([text])).vectors;
      assert.deepEqual(together.vectors[index], alone);
      const squared = alone!.reduce((sum, part) => sum + part * part, 0);
      assert.ok(Math.abs(squared - 1) < 1e-6);
      assert.equal(alone!.length, 1536);
    }
  });

  it('makes one request a call, and none for nothing', async () => {
    const embedder = embedderOn(url, {}, 'vector-ferry/0.1.0 (höst-1)');
    assert.deepEqual(await embedder.embed(MODEL, [], { signal: never }), { vectors: [], tokens: 0 });
    await embedder.embed(MODEL, ['a', 'b'], { signal: never });
    assert.deepEqual(Object.keys((await counters()).byClient), ['vector-ferry/0.1.0 (h?st-1)']);
    assert.equal((await counters()).requests, 1);
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

  it('asks for the dimensions of the job', async () => {
    const small = { ...MODEL, dimensions: 256 };
    const { vectors } = await embedderOn(url).embed(small, ['word'], { signal: never });
    assert.equal(vectors[0]!.length, 256);
  });

  const refusals: [name: string, behaviour: object, expected: FaultCode, detail: RegExp][] = [
    ['a refused text', { refuse: ['poison'] }, 'embedding_refused', /HTTP 400/],
    ['a key that is not valid', { apiKey: 'other' }, 'embedding_access_denied', /HTTP 401 invalid_api_key/],
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

  it('takes a server that is not there as an outage', async () => {
    const gone = embedderOn('http://127.0.0.1:9');
    const fault = await faultOf(gone.embed(MODEL, ['a'], { signal: never }));
    assert.equal(fault.code, 'embedding_unavailable');
  });

  it('names a model or an address that is not there', async () => {
    const missing = embedderOn(url).embed({ ...MODEL, model: 'no-such-model' }, ['a'], { signal: never });
    assert.match((await faultOf(missing)).message, /HTTP 404 model_not_found/);
    const elsewhere = embedderOn(`${url}/elsewhere`).embed(MODEL, ['a'], { signal: never });
    assert.equal((await faultOf(elsewhere)).code, 'embedding_model_missing');
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

  it('three workers on one budget need hardly more time than it dictates', async (t) => {
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
    assert.equal(tokens, requests * 2_000);
    // The last requests wait for a turn of up to three requests; more of it would show in a longer run only.
    assert.ok(took <= dictated * 1.1 + 1_000, `${took} ms instead of ${dictated}`);
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
      vectors: [
        [1, 0],
        [0, 1],
      ],
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
