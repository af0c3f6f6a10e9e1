/**
 * An offline stand-in for OpenAI's embeddings API, for the demo and the tests: deterministic vectors
 * (embeddings/feature-hashing.ts), the real limits, headers and errors, a log and counters of what was paid, and
 * switches for latency, limits, refusals and outages (embeddings/behaviour.ts).
 *
 *     node src/stack/embeddings-server.ts --host 127.0.0.1 --port 8081 --log requests.jsonl --api-key sk-local
 *
 * `--api-key-file FILE` in the place of `--api-key` keeps the key off the command line, which every user can read.
 *
 * Routes: POST /v1/embeddings, GET /v1/models, GET /health, GET /control/counters, GET /control/texts?client=,
 * POST /control/reset, GET | PUT | DELETE /control/behaviour. It prints one line of JSON when it listens. On SIGTERM it
 * accepts nothing more, finishes the requests in hand, and exits.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { EmbeddingsService, type EmbeddingsServiceOptions } from './embeddings/service.ts';

/** Where the server listens, and its service's options. */
export interface EmbeddingsServerOptions extends EmbeddingsServiceOptions {
  /** @default '127.0.0.1' */
  readonly host?: string;
  /** 0: a free one. @default 0 */
  readonly port?: number;
}

/** A running server. */
export interface EmbeddingsServer {
  readonly host: string;
  readonly port: number;
  /** Stops accepting, waits for the requests in hand, and closes the log. */
  close(): Promise<void>;
}

const KEEP_ALIVE_MS = 75_000;

/** Starts the server in this process. */
export async function startEmbeddingsServer(options: EmbeddingsServerOptions): Promise<EmbeddingsServer> {
  const { host = '127.0.0.1', port = 0 } = options;
  const service = new EmbeddingsService(options);
  const inHand = new Map<ServerResponse, Promise<void>>();
  let closing = false;
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    // A client that breaks off while sending is no request; anything else is a fault of this server.
    const answered = service.handle(request, response).catch((error: unknown) => {
      if (request.complete) process.stderr.write(`embeddings server: ${String(error)}\n`);
      request.socket.destroy();
    });
    inHand.set(response, answered);
    if (closing) response.shouldKeepAlive = false;
    void answered.finally(() => inHand.delete(response));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });

  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    closing = true;
    server.closeIdleConnections();
    for (const response of inHand.keys()) response.shouldKeepAlive = false;
    while (inHand.size > 0) await Promise.all(inHand.values());
    // What is left after a moment for the last answers to leave: requests that hang, and idle connections.
    setTimeout(() => server.closeAllConnections(), 1000).unref();
    await closed;
    service.close();
  };
  return { host, port: (server.address() as AddressInfo).port, close };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      host: { type: 'string' },
      port: { type: 'string' },
      log: { type: 'string' },
      'api-key': { type: 'string' },
      'api-key-file': { type: 'string' },
    },
  });
  if (values.log === undefined) throw new Error('--log FILE is missing');
  const port = Number(values.port ?? 0);
  const keyFile = values['api-key-file'];
  const server = await startEmbeddingsServer({
    host: values.host,
    port,
    log: values.log,
    apiKey: keyFile === undefined ? values['api-key'] : readFileSync(keyFile, 'utf8').trim(),
  });
  process.stdout.write(
    `${JSON.stringify({ listening: true, host: server.host, port: server.port, pid: process.pid })}\n`,
  );
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    void server.close().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

// import.meta.main would need Node 24.2.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    process.stderr.write(`embeddings server: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
}
