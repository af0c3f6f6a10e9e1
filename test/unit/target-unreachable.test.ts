import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createSocketServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Fault } from '../../src/errors.ts';
import { createQdrantTarget } from '../../src/target/qdrant.ts';
import { DEFAULT_BM25, targetSettings } from '../../src/target/settings.ts';

/** Every address that people get wrong, through the real driver and real sockets. */
describe('an address that does not lead to Qdrant', () => {
  const { signal } = new AbortController();
  const closing: (() => void)[] = [];
  after(() => closing.forEach((close) => close()));

  async function listen(server: Server | ReturnType<typeof createSocketServer>): Promise<number> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  function certificate(): { key: Buffer; cert: Buffer } {
    const dir = mkdtempSync(join(tmpdir(), 'ferry-certificate-'));
    const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync(
      'openssl',
      [...request, '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=localhost'],
      {
        stdio: 'ignore',
      },
    );
    const files = { key: readFileSync(key), cert: readFileSync(cert) };
    rmSync(dir, { recursive: true });
    return files;
  }

  async function examined(QDRANT_URL: string): Promise<Fault> {
    const target = createQdrantTarget(targetSettings.parse({ QDRANT_URL, QDRANT_API_KEY: 'secret' }));
    const spec = { model: 'm', dimensions: 4, bm25: DEFAULT_BM25, binaryQuantization: false };
    const error: unknown = await target.examine({ name: 'memos', ...spec }, 'crm/memo', signal).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof Fault, String(error));
    assert.doesNotMatch(`${error.message}${error.stack}`, /secret/);
    return error;
  }

  const page: RequestListener = (_request, response) => response.end('<html>welcome</html>');

  it('https:// to a server without TLS', async () => {
    const fault = await examined(`https://127.0.0.1:${await listen(createServer(page))}`);
    assert.equal(fault.code, 'target_refused');
    assert.match(fault.message, /QDRANT_URL does not use TLS.*write http:\/\//);
  });

  it('http:// to a server with TLS', async () => {
    const fault = await examined(`http://127.0.0.1:${await listen(createTlsServer(certificate(), page))}`);
    assert.match(fault.message, /QDRANT_URL.*https:\/\//);
  });

  it('a certificate that nobody vouches for', async () => {
    const fault = await examined(`https://127.0.0.1:${await listen(createTlsServer(certificate(), page))}`);
    assert.equal(fault.code, 'target_refused');
    assert.match(fault.message, /certificate of the server at QDRANT_URL.*NODE_EXTRA_CA_CERTS/);
  });

  it('a port that speaks something else, as that of gRPC does', async () => {
    const server = createSocketServer((socket: Socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write(Buffer.from([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0x40, 0])));
      closing.push(() => socket.destroy());
    });
    const fault = await examined(`http://127.0.0.1:${await listen(server)}`);
    assert.equal(fault.code, 'target_refused');
    assert.match(fault.message, /QDRANT_URL does not answer in plain HTTP.*6333/);
  });

  it('a connection that breaks off, which may pass', async () => {
    const server = createSocketServer((socket: Socket) => void socket.on('data', () => socket.destroy()));
    const fault = await examined(`http://127.0.0.1:${await listen(server)}`);
    assert.equal(fault.code, 'target_unavailable');
    assert.match(fault.message, /check in QDRANT_URL/);
  });

  it('a host that does not exist', async () => {
    const fault = await examined('http://qdrant.invalid:6333');
    assert.equal(fault.code, 'target_unavailable');
    assert.match(fault.message, /the host of QDRANT_URL is not known/);
  });

  const pages: [what: string, answer: RequestListener, sentence: RegExp][] = [
    ['a web page', page, /does not answer as Qdrant does; check QDRANT_URL/],
    [
      'another service with JSON',
      (_request, response) =>
        response
          .writeHead(200, { 'content-type': 'application/json' })
          .end('{"version":"8.1.0","title":"other","result":true}'),
      /does not answer as Qdrant does; check QDRANT_URL/,
    ],
    [
      'a page that is not found',
      (_request, response) => response.writeHead(404).end('no'),
      /check that QDRANT_URL/,
    ],
    [
      'a proxy without a server behind it',
      (_request, response) => response.writeHead(502).end(),
      /check that QDRANT_URL/,
    ],
  ];
  for (const [what, answer, sentence] of pages) {
    it(what, async () => {
      const fault = await examined(`http://127.0.0.1:${await listen(createServer(answer))}`);
      assert.match(fault.message, sentence);
    });
  }
});
