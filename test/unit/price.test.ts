import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { priceOf } from '../../src/embedding/price.ts';
import { embeddingSettings } from '../../src/embedding/settings.ts';

const settings = (values: Record<string, string>) =>
  embeddingSettings.parse({ OPENAI_API_KEY: 'sk-test', ...values });

describe('the price of a model', () => {
  it("is OpenAI's own for its models, whatever the address or prefix", () => {
    const prices = ['text-embedding-3-small', 'text-embedding-3-large', 'text-embedding-ada-002'].map(
      (model) => priceOf(settings({ OPENAI_EMBEDDING_MODEL: model })),
    );
    assert.deepEqual(prices, [0.02, 0.13, 0.1]);
    const elsewhere = {
      OPENAI_BASE_URL: 'https://gateway.example/v1',
      OPENAI_EMBEDDING_MODEL: 'openai/text-embedding-3-small',
    };
    assert.equal(priceOf(settings(elsewhere)), 0.02);
  });

  it('is not known for another model', () => {
    assert.equal(priceOf(settings({ OPENAI_EMBEDDING_MODEL: 'bge-m3' })), null);
    assert.equal(priceOf(settings({ OPENAI_EMBEDDING_MODEL: 'constructor' })), null);
  });

  it('is what the setting says, nothing included', () => {
    const of = (price: string, model: string) =>
      priceOf(settings({ OPENAI_EMBEDDING_MODEL: model, OPENAI_USD_PER_MILLION_TOKENS: price }));
    assert.equal(of('0.065', 'text-embedding-3-large'), 0.065);
    assert.equal(of('0', 'bge-m3'), 0);
    assert.equal(of('0', 'text-embedding-3-small'), 0);
    for (const wrong of ['-1', 'free', 'Infinity', '0,02']) {
      assert.throws(() => of(wrong, 'bge-m3'), /expected a number from 0 to 1000000/);
    }
  });
});
