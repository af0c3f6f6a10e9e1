import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FaultCode } from '../../src/errors.ts';
import { BatchEmbedding } from '../../src/reconcile/embed.ts';
import { quietAttempt } from '../support/attempt.ts';
import { MemoryEmbedder } from '../support/memory.ts';

const MODEL = { model: 'any', dimensions: 1 };

/** What a batch of `count` inputs costs, the poisonous ones given by their places. */
async function isolate(
  count: number,
  perRequest: number,
  poisonous: ReadonlySet<number>,
): Promise<{ extra: number; probes: number }> {
  const texts = Array.from({ length: count }, (_, k) => `text ${k}`);
  const isPoison = (text: string): boolean => poisonous.has(Number(text.slice(5)));
  const embedder = new MemoryEmbedder(perRequest);
  embedder.refuses = (text) => text !== 'probe' && isPoison(text);
  const embedding = new BatchEmbedding(embedder, MODEL, quietAttempt());
  const vectors: Parameters<BatchEmbedding['embed']>[1] = new Map();
  const refused = new Map<string, FaultCode>();
  const requests = embedding.requests(texts);
  for (const request of requests) await embedding.embed(request, vectors, refused);

  assert.deepEqual([...refused.keys()], texts.filter(isPoison), 'all of them, no other, in order');
  assert.deepEqual(
    [...vectors.keys()],
    texts.filter((text) => !isPoison(text)),
  );
  const probes = embedder.requests.filter(([text]) => text === 'probe').length;
  assert.equal(embedder.embedded.length, vectors.size + probes, 'nothing is paid twice');
  assert.equal(embedding.inputs, vectors.size + probes);
  return { extra: embedder.requests.length - requests.length - probes, probes };
}

async function assertBound(count: number, perRequest: number, poisonous: ReadonlySet<number>): Promise<void> {
  const { extra, probes } = await isolate(count, perRequest, poisonous);
  const n = poisonous.size;
  assert.equal(probes, n === 0 ? 0 : 1, 'one probe a batch');
  assert.ok(
    extra <= 2 * n * Math.log2(count),
    `${extra} requests beyond for ${n} of ${count} inputs, ${perRequest} a request: ${[...poisonous].join(', ')}`,
  );
}

test('n poisonous inputs cost at most 2·n·log2(inputs) requests beyond: every choice of up to 10 inputs', async () => {
  for (let count = 1; count <= 10; count++) {
    for (let choice = 0; choice < 2 ** count; choice++) {
      const places = Array.from({ length: count }, (_, k) => k).filter((k) => (choice >> k) % 2 === 1);
      await assertBound(count, count, new Set(places));
    }
  }
});

test('a single poisonous input at every place, in requests of every size up to 70', async () => {
  for (let count = 1; count <= 70; count++) {
    for (let place = 0; place < count; place++) await assertBound(count, count, new Set([place]));
  }
});

test('any batch, any number of requests, any poisonous inputs: none, one, adjacent, first, last, all', async () => {
  const batch = fc
    .record({ count: fc.integer({ min: 1, max: 400 }), perRequest: fc.integer({ min: 1, max: 400 }) })
    .chain(({ count, perRequest }) => {
      const place = fc.integer({ min: 0, max: count - 1 });
      const some = fc.uniqueArray(place, { maxLength: 12 });
      const adjacent = fc.tuple(place, fc.integer({ min: 1, max: count })).map(([first, length]) => {
        return Array.from({ length: Math.min(length, count - first) }, (_, k) => first + k);
      });
      const ends = fc.constant([...new Set([0, count - 1])]);
      const poisonous = fc.oneof(some, adjacent, ends).map((places) => new Set(places));
      return fc.record({ count: fc.constant(count), perRequest: fc.constant(perRequest), poisonous });
    });
  await fc.assert(
    fc.asyncProperty(batch, ({ count, perRequest, poisonous }) => assertBound(count, perRequest, poisonous)),
    { numRuns: 500 },
  );
});

test('a request that is refused for its size alone is divided, and no input is called poisonous', async () => {
  for (const limit of [1, 3, 16]) {
    const embedder = new MemoryEmbedder(64);
    embedder.refuses = () => (embedder.requests.at(-1)?.length ?? 0) > limit;
    const embedding = new BatchEmbedding(embedder, MODEL, quietAttempt());
    const texts = Array.from({ length: 3 * 64 }, (_, k) => `text ${k}`);
    const vectors: Parameters<BatchEmbedding['embed']>[1] = new Map();
    const refused = new Map<string, FaultCode>();
    const costs: number[] = [];
    for (const request of embedding.requests(texts)) {
      const before = embedder.requests.length;
      await embedding.embed(request, vectors, refused);
      costs.push(embedder.requests.length - before);
    }
    assert.deepEqual([refused.size, vectors.size], [0, texts.length]);
    assert.equal(embedding.inputs, texts.length + 1, 'each is paid once, and the probe');
    // Halved until the parts are small enough.
    const parts = 64 / 2 ** Math.floor(Math.log2(limit));
    assert.deepEqual(costs.slice(1), [2 * parts - 1, 2 * parts - 1], 'nothing more, once it is known');
  }
});
