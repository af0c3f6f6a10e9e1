import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import fc from 'fast-check';

import { MAX_INPUTS, MAX_REQUEST_TOKENS, countTokens, packTexts } from '../../src/embedding/packing.ts';

const limitsArbitrary = fc.record({
  maxInputs: fc.integer({ min: 1, max: 10 }),
  maxTokens: fc.integer({ min: 1, max: 60 }),
  maxInputTokens: fc.integer({ min: 1, max: 40 }),
});
const textsArbitrary = fc.array(fc.string({ unit: 'grapheme', maxLength: 120 }), { maxLength: 60 });

describe('packing', () => {
  it('counts UTF-8 bytes / 4, rounded up', () => {
    assert.deepEqual(['', 'a', 'abcd', 'abcde', '数据', '🙂'].map(countTokens), [0, 1, 1, 2, 2, 1]);
  });

  it('takes every index once, in order', () => {
    fc.assert(
      fc.property(textsArbitrary, limitsArbitrary, (texts, limits) => {
        assert.deepEqual(packTexts(texts, limits).flat(), [...texts.keys()]);
      }),
    );
  });

  it('keeps every request within the limits unless a text alone is above them', () => {
    fc.assert(
      fc.property(textsArbitrary, limitsArbitrary, (texts, limits) => {
        for (const request of packTexts(texts, limits)) {
          const tokens = request.map((index) => countTokens(texts[index]!));
          assert.ok(request.length >= 1 && request.length <= limits.maxInputs);
          if (request.length === 1) continue;
          assert.ok(tokens.reduce((sum, own) => sum + own) <= limits.maxTokens);
          assert.ok(Math.max(...tokens) <= limits.maxInputTokens);
        }
      }),
    );
  });

  it('makes no more requests than it has to: two neighbours never fit in one', () => {
    fc.assert(
      fc.property(textsArbitrary, limitsArbitrary, (texts, limits) => {
        const requests = packTexts(texts, limits);
        for (const [at, request] of requests.entries()) {
          const next = requests[at + 1];
          if (next === undefined) continue;
          const tokens = [...request, next[0]!].map((index) => countTokens(texts[index]!));
          const fits =
            tokens.length <= limits.maxInputs &&
            tokens.reduce((sum, own) => sum + own) <= limits.maxTokens &&
            Math.max(...tokens) <= limits.maxInputTokens;
          assert.equal(fits, false);
        }
      }),
    );
  });

  it('has the limits of OpenAI by default', () => {
    const small = Array.from({ length: MAX_INPUTS + 1 }, () => 'word');
    assert.deepEqual(
      packTexts(small).map((request) => request.length),
      [MAX_INPUTS, 1],
    );
    const large = Array.from({ length: 100 }, () => 'x'.repeat(4 * 6_000));
    assert.deepEqual(
      packTexts(large).map((request) => request.length),
      [MAX_REQUEST_TOKENS / 6_000, MAX_REQUEST_TOKENS / 6_000],
    );
  });

  it('sends a text above the limit of one input alone', () => {
    assert.deepEqual(packTexts(['a', 'x'.repeat(4 * 8_192 + 1), 'b', 'c']), [[0], [1], [2, 3]]);
  });

  it('has nothing to send for nothing', () => {
    assert.deepEqual(packTexts([]), []);
  });
});
