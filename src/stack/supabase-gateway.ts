/**
 * The part of a Supabase project that stands before PostgREST: the path /rest/v1 and the `apikey` header. Run by the
 * stack as `node supabase-gateway.ts --config FILE`.
 */
import { readFileSync } from 'node:fs';
import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';

interface GatewayConfig {
  port: number;
  upstreamPort: number;
  /** The keys that may come in. */
  keys: string[];
}

const prefix = '/rest/v1';
const drainMs = 5_000;

/** Headers that concern one connection and not the request. */
const perConnection = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'host', 'apikey']);

const { values } = parseArgs({ options: { config: { type: 'string' } } });
if (values.config === undefined) throw new Error('usage: supabase-gateway --config FILE');
const config = JSON.parse(readFileSync(values.config, 'utf8')) as GatewayConfig;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function reply(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
}

function forward(incoming: IncomingMessage, response: ServerResponse, path: string): void {
  const headers = Object.entries(incoming.headers).filter(([name]) => !perConnection.has(name));
  const upstream = request(
    {
      agent,
      host: '127.0.0.1',
      port: config.upstreamPort,
      method: incoming.method,
      path: path === '' || path.startsWith('?') ? `/${path}` : path,
      headers: Object.fromEntries(headers),
    },
    (answer) => {
      const kept = Object.entries(answer.headers).filter(([name]) => !perConnection.has(name));
      response.writeHead(answer.statusCode ?? 502, Object.fromEntries(kept));
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    },
  );
  upstream.on('error', () => reply(response, 503, 'PostgREST does not answer'));
  // A client that goes away takes its request with it.
  response.on('close', () => upstream.destroy());
  incoming.pipe(upstream);
}

const server = createServer((incoming, response) => {
  const target = incoming.url ?? '/';
  if (target === '/health') return void response.end('ok');
  const rest = target.startsWith(prefix) ? target.slice(prefix.length) : undefined;
  if (rest === undefined || !/^(?:$|[/?])/.test(rest))
    return reply(response, 404, 'no Route matched with those values');
  const key = incoming.headers['apikey'];
  if (typeof key !== 'string') return reply(response, 401, 'No API key found in request');
  if (!config.keys.includes(key)) return reply(response, 401, 'Invalid API key');
  forward(incoming, response, rest);
});

server.listen({ host: '127.0.0.1', port: config.port });

function shutDown(): void {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
  setTimeout(() => process.exit(0), drainMs).unref();
}

process.once('SIGTERM', shutDown);
process.once('SIGINT', shutDown);
