import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createOpenAiEmbedder } from '../../src/embedding/openai.ts';
import { embeddingSettings } from '../../src/embedding/settings.ts';
import { Fault } from '../../src/errors.ts';
import { SPOILINGS, type Spoil } from '../../src/stack/embeddings/spoiling.ts';
import { startEmbeddingsServer, type EmbeddingsServer } from '../../src/stack/embeddings-server.ts';
import { EmbeddingsControl } from '../support/control.ts';

const TEXTS = ['one', 'two', 'three'];
const MODEL = { model: 'text-embedding-3-small', dimensions: 1536 };

describe('answers of the embedding service that are spoilt after they were paid', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ferry-spoilt-'));
  let server: EmbeddingsServer;
  let control: EmbeddingsControl;
  let baseUrl: string;

  before(async () => {
    server = await startEmbeddingsServer({ log: join(dir, 'requests.jsonl') });
    baseUrl = `http://127.0.0.1:${server.port}/v1`;
    control = new EmbeddingsControl(baseUrl);
  });

  after(async () => {
    await server.close();
    rmSync(dir, { recursive: true });
  });

  beforeEach(async () => {
    await control.behaveNormally();
    await control.reset();
  });

  const embed = async (texts = TEXTS) => {
    const settings = embeddingSettings.parse({ OPENAI_API_KEY: 'sk-any', OPENAI_BASE_URL: baseUrl });
    return createOpenAiEmbedder(settings).embed(MODEL, texts, { signal: new AbortController().signal });
  };
  const spoil = (how: Spoil['how'], count?: number) => control.behave({ spoil: { how, count } });

  for (const how of SPOILINGS) {
    it(`${how}: transient, so it is asked again; the answer was paid`, async () => {
      await spoil(how, 2);
      for (let spoilt = 1; spoilt <= 2; spoilt++) {
        await assert.rejects(embed(), (error) => error instanceof Fault && error.kind === 'transient');
        const { inputs, spoiltInputs } = await control.counters();
        assert.deepEqual({ inputs, spoiltInputs }, { inputs: 3 * spoilt, spoiltInputs: 3 * spoilt });
      }
      const { vectors } = await embed();
      assert.equal(vectors.length, 3);
      assert.ok(vectors.every((vector) => vector.length === 1536 && vector.every(Number.isFinite)));
      assert.equal((await control.counters()).spoiltInputs, 6);
    });

    it(`${how}: also for a single text, in numbers, without end`, async () => {
      await spoil(how);
      for (let index = 0; index < 3; index++) {
        const asked = fetch(`${baseUrl}/embeddings`, {
          method: 'POST',
          headers: { authorization: 'Bearer sk-any' },
          body: JSON.stringify({ model: MODEL.model, input: 'one' }),
        }).then(async (response) => (await response.json()) as { data: { embedding: number[] | null }[] });
        const vector = await asked.then(
          ({ data }) => data[0]?.embedding,
          () => undefined,
        );
        assert.ok(!(vector?.length === 1536 && vector.every(Number.isFinite)), 'the answer is not whole');
      }
      assert.equal((await control.counters()).spoiltInputs, 3);
    });
  }

  it('counts an answer that nobody took any more, and one that is taken not', async () => {
    await embed();
    assert.equal((await control.counters()).lostInputs, 0);
    await control.behave({ latencyMs: 300 });
    const body = JSON.stringify({ model: MODEL.model, input: ['a', 'b'] });
    const socket = connect(server.port, '127.0.0.1');
    const head = `POST /v1/embeddings HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk-any\r\ncontent-length: ${body.length}`;
    socket.write(`${head}\r\n\r\n${body}`);
    setTimeout(() => socket.resetAndDestroy(), 100);
    while ((await control.counters()).inputs < 5) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await control.counters()).lostInputs, 2);
  });

  it('refuses a spoiling that it does not know', async () => {
    await assert.rejects(control.behave({ spoil: { how: 'gone' } }), /truncated, wrong-length/);
    await assert.rejects(control.behave({ spoil: { how: 'nan', count: 0 } }), /positive integer/);
  });
});
