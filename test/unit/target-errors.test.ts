import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Fault } from '../../src/errors.ts';
import { address } from '../../src/target/connection.ts';
import { withoutContent } from '../../src/target/errors.ts';
import { createQdrantTarget } from '../../src/target/qdrant.ts';
import { collectionSettings, targetSettings } from '../../src/target/settings.ts';

/** Every case goes through the real driver, against a server that answers as told. */
describe('errors of the driver', () => {
  let answer: (response: ServerResponse) => void = () => undefined;
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    answer(response);
  });

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const { signal } = new AbortController();

  function target(timeoutSeconds = 60, key = 'secret') {
    return createQdrantTarget({
      QDRANT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      QDRANT_API_KEY: key,
      QDRANT_TIMEOUT_SECONDS: timeoutSeconds,
    });
  }

  async function fault(timeoutSeconds?: number): Promise<Fault> {
    const error: unknown = await target(timeoutSeconds)
      .texts('memos_v1', ['5d0d4a2e-8c41-5d3a-9c12-6a4a3d1f0e11'], signal)
      .then(
        () => null,
        (thrown: unknown) => thrown,
      );
    assert.ok(error instanceof Fault, String(error));
    return error;
  }

  function reply(status: number, message: string | null, headers: Record<string, string> = {}) {
    answer = (response) => {
      // Without a message of Qdrant it is a proxy's page, or Qdrant's own plain text about a missing key.
      const type = message === null ? 'text/html' : 'application/json';
      response.writeHead(status, { 'content-type': type, ...headers });
      response.end(message === null ? '<p>no</p>' : JSON.stringify({ status: { error: message }, time: 0 }));
    };
  }

  const cases: [status: number, message: string | null, code: string][] = [
    [400, 'Wrong input: Vector dimension error: expected dim: 1536, got 4', 'target_refused'],
    [401, null, 'target_access_denied'],
    [403, 'Forbidden: Access to collection memos is required', 'target_access_denied'],
    [403, 'Storage locked: maintenance', 'target_refused'],
    [404, "Not found: Collection `memos_v1` doesn't exist!", 'target_collection_missing'],
    [404, 'Not found: No point with id 5d0d4a2e found', 'unexpected'],
    [404, null, 'target_refused'],
    [408, 'Timeout: Operation timed out', 'target_unavailable'],
    [409, 'Wrong input: Collection `memos_v1` already exists!', 'target_refused'],
    [413, null, 'target_refused'],
    [422, 'Validation error in JSON body', 'target_refused'],
    [429, 'Rate limiting exceeded', 'target_overloaded'],
    [500, 'Service internal error: task panicked', 'target_unavailable'],
    [500, 'Service internal error: No space left on device: WAL buffer size exceeds', 'target_storage_full'],
    [502, null, 'target_unavailable'],
    [503, 'Shard temporarily unavailable', 'target_unavailable'],
    [507, 'Insufficient storage', 'target_storage_full'],
  ];
  for (const [status, message, code] of cases) {
    it(`${status} ${message ?? 'without a message'} → ${code}`, async () => {
      reply(status, message);
      const explained = await fault();
      assert.equal(explained.code, code);
      assert.match(explained.message, new RegExp(`status ${status}`));
      assert.equal(explained.retryAfterMs, undefined);
    });
  }

  it('sends a request once', async () => {
    reply(503, null);
    const before = requests;
    await fault();
    assert.equal(requests - before, 1);
  });

  it('does not believe the driver about Retry-After of a 429', async () => {
    reply(429, 'Rate limiting exceeded', { 'retry-after': '30' });
    const explained = await fault();
    assert.equal(explained.code, 'target_overloaded');
    assert.equal(explained.retryAfterMs, undefined);
  });

  it('takes Retry-After of other replies', async () => {
    reply(503, null, { 'retry-after': '30' });
    assert.equal((await fault()).retryAfterMs, 30_000);
  });

  it('explains a reply that is not Qdrant', async () => {
    answer = (response) => response.end('<html>welcome</html>');
    assert.equal((await fault()).code, 'target_refused');
    assert.match((await fault()).message, /QDRANT_URL/);
  });

  it('explains a reply without content', async () => {
    answer = (response) => response.writeHead(204).end();
    assert.equal((await fault()).code, 'target_unavailable');
  });

  it('explains a connection that breaks', async () => {
    answer = (response) => response.destroy();
    assert.equal((await fault()).code, 'target_unavailable');
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
      response.write('{"result":');
      setImmediate(() => response.destroy());
    };
    assert.equal((await fault()).code, 'target_unavailable');
    answer = (response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"result":');
    assert.equal((await fault()).code, 'target_unavailable');
  });

  it('explains silence', async () => {
    answer = () => undefined;
    const explained = await fault(0.05);
    assert.equal(explained.code, 'target_unavailable');
    assert.match(explained.message, /timeout/);
  });

  it('explains an address where nobody listens', async () => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const gone = createQdrantTarget(targetSettings.parse({ QDRANT_URL: `http://127.0.0.1:${port}` }));
    await assert.rejects(gone.texts('memos_v1', ['x'], signal), (error) => {
      assert.ok(error instanceof Fault);
      assert.equal(error.code, 'target_unavailable');
      assert.ok(error.message.includes(`ECONNREFUSED at 127.0.0.1:${port}: `), error.message);
      return true;
    });
  });

  it('passes on the reason of an aborted signal, before and during a request', async () => {
    answer = () => undefined;
    const reason = new Error('shutdown');
    const before = requests;
    await assert.rejects(
      target().texts('memos_v1', ['x'], AbortSignal.abort(reason)),
      (error) => error === reason,
    );
    assert.equal(requests, before);

    const controller = new AbortController();
    const waiting = target().texts('memos_v1', ['x'], controller.signal);
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(waiting, (error) => error === reason);
  });

  it('never shows the key', async () => {
    for (const status of [400, 401, 403, 500]) {
      reply(status, 'no');
      const explained = await fault();
      assert.doesNotMatch(`${explained.message}${explained.stack}`, /secret/);
    }
  });
});

describe('withoutContent', () => {
  it('keeps names of the schema and drops what else is quoted', () => {
    assert.equal(
      withoutContent('Bad request: Index required but not found for "member_code" of type [keyword]'),
      'Bad request: Index required but not found for member_code of type [keyword]',
    );
    assert.equal(
      withoutContent(
        'Format error in JSON body: invalid type: string "Dear "Mr" Lee", expected u64 at line 1',
      ),
      'Format error in JSON body: invalid type: string …, expected u64 at line 1',
    );
    assert.equal(withoutContent(`a 'b" c \`d e`), 'a …d e');
    assert.equal(withoutContent("doesn't end: Dear Mr Lee"), 'doesn…');
  });

  it('is at most 200 characters long', () => {
    assert.equal(withoutContent('x'.repeat(1_000)).length, 200);
  });
});

describe('address', () => {
  const cases: [text: string, url: string, port: number, prefix: string][] = [
    ['http://localhost', 'http://localhost', 6333, ''],
    ['https://x.cloud.qdrant.io', 'https://x.cloud.qdrant.io', 6333, ''],
    ['https://x.cloud.qdrant.io:6333/', 'https://x.cloud.qdrant.io:6333', 6333, ''],
    ['https://proxy:443/qdrant/', 'https://proxy', 443, '/qdrant'],
    ['http://proxy:80', 'http://proxy', 80, ''],
    ['http://[::1]', 'http://[::1]', 6333, ''],
    ['http://[::1]:7000/a/b', 'http://[::1]:7000', 7000, '/a/b'],
  ];
  for (const [text, url, port, prefix] of cases) {
    it(text, () => assert.deepEqual(address(text), { url, port, prefix }));
  }
});

describe('settings', () => {
  it('have defaults for all but the address', () => {
    assert.deepEqual(targetSettings.parse({ QDRANT_URL: 'http://localhost:6333' }), {
      QDRANT_URL: 'http://localhost:6333',
      QDRANT_TIMEOUT_SECONDS: 60,
    });
    assert.deepEqual(collectionSettings.parse({}), {
      QDRANT_COLLECTION_NAME: 'memos',
      QDRANT_BINARY_QUANTIZATION: false,
      BM25_TOKENIZER: 'multilingual',
      BM25_LANGUAGE: 'english',
      BM25_K: 1.2,
      BM25_B: 0.75,
      BM25_AVG_LEN: 128,
    });
  });

  it('read text', () => {
    const settings = collectionSettings.parse({
      QDRANT_COLLECTION_NAME: '备忘 2026',
      QDRANT_BINARY_QUANTIZATION: 'true',
      BM25_K: '1.5',
    });
    assert.equal(settings.QDRANT_BINARY_QUANTIZATION, true);
    assert.equal(settings.BM25_K, 1.5);
  });

  const refused: [Record<string, string>, typeof targetSettings | typeof collectionSettings][] = [
    [{}, targetSettings],
    [{ QDRANT_URL: 'localhost:6333' }, targetSettings],
    [{ QDRANT_URL: 'http://user:pw@localhost:6333' }, targetSettings],
    [{ QDRANT_URL: 'http://localhost', QDRANT_API_KEY: 'a\nb' }, targetSettings],
    [{ QDRANT_URL: 'http://localhost', QDRANT_TIMEOUT_SECONDS: 'soon' }, targetSettings],
    [{ QDRANT_COLLECTION_NAME: 'a/b' }, collectionSettings],
    [{ QDRANT_COLLECTION_NAME: '..' }, collectionSettings],
    [{ BM25_LANGUAGE: 'klingon' }, collectionSettings],
    [{ BM25_TOKENIZER: 'words' }, collectionSettings],
    [{ BM25_B: '1.1' }, collectionSettings],
    [{ QDRANT_BINARY_QUANTIZATION: 'perhaps' }, collectionSettings],
  ];
  for (const [settings, schema] of refused) {
    it(`refuse ${JSON.stringify(settings)}`, () => assert.equal(schema.safeParse(settings).success, false));
  }

  it('describe each variable', () => {
    for (const [name, field] of Object.entries({ ...targetSettings.shape, ...collectionSettings.shape })) {
      assert.match(field.description ?? '', /^[A-Z].*\.$/, name);
    }
  });
});
