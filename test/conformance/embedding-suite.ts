import assert from 'node:assert/strict';

import { countTokens } from '../../src/chunking/tokens.ts';
import type { Embedder, EmbeddingModel } from '../../src/embedding/embedder.ts';
import { createOpenAiEmbedder } from '../../src/embedding/openai.ts';
import { MAX_INPUTS } from '../../src/embedding/packing.ts';
import { embeddingSettings } from '../../src/embedding/settings.ts';
import { Fault, type FaultCode } from '../../src/errors.ts';

/** An embedding service. */
export interface EmbeddingPlace {
  /** OPENAI_BASE_URL. */
  readonly baseUrl: string;
  readonly key: string;
  readonly model: EmbeddingModel;
}

/** What the product relies on in an embedding service, each by its name. A check throws where it is not kept. */
export type EmbeddingChecks = Readonly<Record<string, (place: EmbeddingPlace) => Promise<void>>>;

const { signal } = new AbortController();
const TEXTS = [
  'A ferry crosses the river.',
  '数据库里有很多行',
  'Quarterly revenue fell by 3 %.',
  'x = y + 1;',
];
/** Cosine of two vectors of one text: services compute with half floats, and not always in the same order. */
const SAME = 0.999;

/** The checks, about a dozen requests of some 14,000 tokens together, most of them in those that are refused. */
export const EMBEDDING_CHECKS: EmbeddingChecks = {
  'vectors stand in the order of the texts': async (place) => {
    const { vectors } = await embed(place, TEXTS);
    const { vectors: reversed } = await embed(place, TEXTS.toReversed());
    for (const [index, vector] of vectors.entries()) {
      for (const [other, candidate] of reversed.toReversed().entries()) {
        const isSame = cosine(vector, candidate) > SAME;
        assert.equal(isSame, index === other, `text ${index} and text ${other} of the reversed request`);
      }
    }
  },

  'the same text has the same vector, alone or with others': async (place) => {
    const [alone] = (await embed(place, [TEXTS[0]!])).vectors;
    const [, together] = (await embed(place, [TEXTS[1]!, TEXTS[0]!])).vectors;
    assert.ok(cosine(alone!, together!) > SAME, String(cosine(alone!, together!)));
  },

  'vectors are of unit length': async (place) => {
    for (const vector of (await embed(place, TEXTS)).vectors) {
      const length = Math.sqrt(cosine(vector, vector));
      assert.ok(Math.abs(length - 1) < 0.001, String(length));
    }
  },

  'the dimensions that are asked for are given': async (place) => {
    const canShorten = place.model.model.includes('text-embedding-3-');
    const dimensions = canShorten ? 256 : place.model.dimensions;
    const { vectors } = await embed(place, ['short'], { ...place.model, dimensions });
    assert.equal(vectors[0]?.length, dimensions);
  },

  'tokens are counted, as the bill counts them': async (place) => {
    const text = 'A ferry 渡船 carries rows.'.repeat(40);
    const { tokens } = await embed(place, [text, 'one']);
    if (place.model.model.includes('text-embedding-')) assert.equal(tokens, countTokens(text) + 1);
    // Bytes / 4 is what the product takes where the service counts nothing.
    const estimated = Math.ceil(Buffer.byteLength(text) / 4) + 1;
    assert.ok(tokens > 0 && tokens !== estimated, `${tokens} tokens, and the estimate is ${estimated}`);
  },

  'a request may have 2,048 inputs': async (place) => {
    const embedder = embedderAt(place);
    const texts = Array.from({ length: MAX_INPUTS }, (_, index) => String(index));
    assert.equal(embedder.pack(texts).length, 1);
    const { vectors } = await embedder.embed(place.model, texts, { signal });
    assert.equal(vectors.length, MAX_INPUTS);
  },

  'a text that is too long is refused as such, and no others with it': async (place) => {
    const texts = ['word '.repeat(12_000), 'word'];
    assert.deepEqual(embedderAt(place).pack(texts), [[0], [1]]);
    const fault = await faultOf(embed(place, [texts[0]!]));
    assert.deepEqual([fault.code, fault.kind], ['embedding_refused', 'record'], fault.message);
    assert.match(fault.message, /HTTP 4(?:00|13|22)/);
  },

  'a wrong key is refused': async (place) => {
    await expectFault(
      embed({ ...place, key: 'sk-wrong' }, ['word']),
      'embedding_access_denied',
      /OPENAI_API_KEY/,
    );
  },

  'a model that is not there is named': async (place) => {
    const missing = { ...place.model, model: 'no-such-model' };
    const call = embed(place, ['word'], missing);
    await expectFault(call, 'embedding_model_missing', /OPENAI_EMBEDDING_MODEL/);
  },

  'an address that is not there is named': async (place) => {
    const elsewhere = { ...place, baseUrl: `${place.baseUrl}/elsewhere` };
    await expectFault(embed(elsewhere, ['word']), 'embedding_model_missing', /OPENAI_BASE_URL/);
  },
};

/** Of OpenAI itself; services with its interface need not have them. */
export const RATE_CHECKS: EmbeddingChecks = {
  'the rate limits are read from the headers': async (place) => {
    const embedder = embedderAt(place);
    assert.deepEqual(embedder.pace(), { requestsPerMinute: null, tokensPerMinute: null });
    await embedder.embed(place.model, ['word'], { signal });
    const { requestsPerMinute, tokensPerMinute } = embedder.pace();
    assert.ok(requestsPerMinute !== null && requestsPerMinute > 0, 'requests');
    assert.ok(tokensPerMinute !== null && tokensPerMinute > 0, 'tokens');
  },
};

function embedderAt({ baseUrl, key }: EmbeddingPlace): Embedder {
  return createOpenAiEmbedder(embeddingSettings.parse({ OPENAI_API_KEY: key, OPENAI_BASE_URL: baseUrl }));
}

function embed(place: EmbeddingPlace, texts: readonly string[], model = place.model) {
  return embedderAt(place).embed(model, texts, { signal });
}

async function faultOf(call: Promise<unknown>): Promise<Fault> {
  const error = await call.then(
    () => assert.fail('a fault was expected, and vectors came'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Fault, String(error));
  return error;
}

async function expectFault(call: Promise<unknown>, code: FaultCode, message: RegExp): Promise<void> {
  const fault = await faultOf(call);
  assert.equal(fault.code, code, fault.message);
  assert.match(fault.message, message);
}

/** Scalar product: the cosine, of unit vectors. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((sum, part, index) => sum + part * b[index]!, 0);
}
