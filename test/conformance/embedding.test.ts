/**
 * What the product relies on in an embedding service: on the stack's own, on a real one where FERRY_TEST_OPENAI_API_KEY
 * (and FERRY_TEST_OPENAI_BASE_URL, FERRY_TEST_OPENAI_MODEL, FERRY_TEST_OPENAI_DIMENSIONS) name it, for a fraction of a
 * cent, and through proxies that each take one behaviour away, so that the suite is known to notice.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';

import { startEmbeddingsServer, type EmbeddingsServer } from '../../src/stack/embeddings-server.ts';
import { EMBEDDING_CHECKS, RATE_CHECKS } from './embedding-suite.ts';
import type { EmbeddingChecks, EmbeddingPlace } from './embedding-suite.ts';
import { itNotices, startPlantedProxy, type Plant, type PlantedFault } from './planted-proxy.ts';

const ALL_CHECKS = { ...EMBEDDING_CHECKS, ...RATE_CHECKS };
const KEY = 'sk-conformance';
const MODEL = { model: 'text-embedding-3-small', dimensions: 1536 };

// A server of its own: the one that all tests share announces no limits.
const folder = mkdtempSync(join(tmpdir(), 'ferry-conformance-'));
let server: EmbeddingsServer;
let address: string;

before(async () => {
  server = await startEmbeddingsServer({ log: join(folder, 'requests.jsonl'), apiKey: KEY });
  address = `http://127.0.0.1:${server.port}`;
  const limits = JSON.stringify({ rpm: 3_000, tpm: 1_000_000 });
  const set = await fetch(`${address}/control/behaviour`, { method: 'PUT', body: limits });
  assert.equal(set.status, 200);
});

after(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

function runChecks(open: () => EmbeddingPlace, checks: EmbeddingChecks, skip: string | false): void {
  for (const [name, check] of Object.entries(checks)) it(name, { skip }, () => check(open()));
}

describe("the stack's embedding service", () => {
  runChecks(() => ({ baseUrl: `${address}/v1`, key: KEY, model: MODEL }), ALL_CHECKS, false);
});

describe('a real embedding service', () => {
  const {
    FERRY_TEST_OPENAI_API_KEY: key,
    FERRY_TEST_OPENAI_BASE_URL: baseUrl = 'https://api.openai.com/v1',
    FERRY_TEST_OPENAI_MODEL: model = MODEL.model,
    FERRY_TEST_OPENAI_DIMENSIONS: dimensions = String(MODEL.dimensions),
  } = process.env;
  const place = { baseUrl, key: key ?? '', model: { model, dimensions: Number(dimensions) } };
  const notNamed = key === undefined ? 'FERRY_TEST_OPENAI_API_KEY is not set' : false;
  runChecks(() => place, EMBEDDING_CHECKS, notNamed);
  const isOpenAi = new URL(baseUrl).hostname === 'api.openai.com';
  runChecks(() => place, RATE_CHECKS, notNamed || (isOpenAi ? false : `${baseUrl} is not OpenAI's own`));
});

/** The names of the checks that fail through a proxy. */
async function failuresWith(plant: Plant): Promise<string[]> {
  const proxy = await startPlantedProxy(address, plant);
  const place = { baseUrl: `${proxy.url}/v1`, key: KEY, model: MODEL };
  const failed: string[] = [];
  try {
    for (const [name, check] of Object.entries(ALL_CHECKS)) await check(place).catch(() => failed.push(name));
  } finally {
    await proxy.close();
  }
  return failed;
}

interface Answer {
  data: { index: number; embedding: string }[];
  usage?: { prompt_tokens: number; total_tokens: number };
}

interface Request {
  model: string;
  input: string[];
  dimensions?: number;
}

/** A plant that changes what comes back with a 200. */
const answering =
  (change: (answer: Answer) => void): Plant =>
  async (call, send) => {
    const reply = await send(call);
    if (reply.status !== 200) return reply;
    const answer = JSON.parse(reply.body) as Answer;
    change(answer);
    return { ...reply, body: JSON.stringify(answer) };
  };

/** A plant that changes what is sent. */
const asking =
  (change: (request: Request) => void): Plant =>
  async (call, send) => {
    const request = JSON.parse(call.body) as Request;
    change(request);
    return send({ ...call, body: JSON.stringify(request) });
  };

/** A plant that changes the numbers of each vector. */
const reshaping = (change: (vector: number[], request: number) => number[]): Plant => {
  let requests = 0;
  return answering(({ data }) => {
    requests += 1;
    for (const item of data) {
      const bytes = Buffer.from(item.embedding, 'base64');
      const vector = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(4 * at));
      item.embedding = Buffer.from(new Float32Array(change(vector, requests)).buffer).toString('base64');
    }
  });
};

describe('the suite notices a service that', () => {
  const plants: PlantedFault[] = [
    [
      'gives vectors to the wrong texts',
      answering(({ data }) => {
        const vectors = data.map(({ embedding }) => embedding);
        for (const [at, item] of data.entries()) item.embedding = vectors[(at + 1) % vectors.length]!;
      }),
      'vectors stand in the order of the texts',
    ],
    ['leaves out a vector', answering(({ data }) => void data.pop()), 'a request may have 2,048 inputs'],
    ['cuts vectors', reshaping((vector) => vector.slice(1)), 'the dimensions that are asked for are given'],
    [
      'does not normalise',
      reshaping((vector) => vector.map((part) => part * 3)),
      'vectors are of unit length',
    ],
    ['gives NaN', reshaping((vector) => [Number.NaN, ...vector.slice(1)]), 'vectors are of unit length'],
    [
      'gives another vector each time',
      reshaping((vector, request) => vector.map((_, at) => vector.at((at + request) % vector.length)!)),
      'the same text has the same vector, alone or with others',
    ],
    [
      'ignores the dimensions',
      asking((request) => delete request.dimensions),
      'the dimensions that are asked for are given',
    ],
    [
      'counts no tokens',
      answering((answer) => delete answer.usage),
      'tokens are counted, as the bill counts them',
    ],
    [
      'counts too few tokens',
      answering(({ usage }) => void (usage!.prompt_tokens = usage!.total_tokens = 1)),
      'tokens are counted, as the bill counts them',
    ],
    [
      'takes 1,000 inputs at most',
      async (call, send) =>
        (JSON.parse(call.body) as Request).input.length > 1_000
          ? { status: 400, headers: { 'content-type': 'application/json' }, body: '{"error":{}}' }
          : send(call),
      'a request may have 2,048 inputs',
    ],
    [
      'cuts texts that are too long',
      asking((request) => (request.input = request.input.map((text) => text.slice(0, 20_000)))),
      'a text that is too long is refused as such, and no others with it',
    ],
    [
      'refuses a text that is too long without saying so',
      async (call, send) => {
        const reply = await send(call);
        return reply.status === 400 ? { ...reply, status: 500 } : reply;
      },
      'a text that is too long is refused as such, and no others with it',
    ],
    [
      'takes any key',
      async (call, send) => send({ ...call, headers: { ...call.headers, authorization: `Bearer ${KEY}` } }),
      'a wrong key is refused',
    ],
    [
      'takes any model for its own',
      asking((request) => (request.model = MODEL.model)),
      'a model that is not there is named',
    ],
    [
      'answers at any address',
      async (call, send) => send({ ...call, path: '/v1/embeddings' }),
      'an address that is not there is named',
    ],
    [
      'says nothing of its limits',
      async (call, send) => {
        const reply = await send(call);
        const kept = Object.entries(reply.headers).filter(([name]) => !name.startsWith('x-ratelimit-'));
        return { ...reply, headers: Object.fromEntries(kept) };
      },
      'the rate limits are read from the headers',
    ],
  ];
  itNotices(plants, failuresWith);
});

describe('the suite passes', () => {
  it('through a proxy that changes nothing', async () => {
    assert.deepEqual(await failuresWith((call, send) => send(call)), []);
  });

  it('where vectors come in another order, with their numbers', async () => {
    assert.deepEqual(await failuresWith(answering(({ data }) => void data.reverse())), []);
  });
});
