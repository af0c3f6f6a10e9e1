import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** Besides these, a client learns nothing from an answer but its status and its body. */
const KEPT = ['content-type', 'x-request-id'];

/** A provider that runs. */
export interface SilentProvider {
  /** OPENAI_BASE_URL. */
  readonly baseUrl: string;
  close(): Promise<void>;
}

/**
 * Starts a provider that enforces the budgets of another one and says nothing of them: no x-ratelimit-* headers, no
 * Retry-After.
 *
 * @param baseUrl OPENAI_BASE_URL of the other one
 */
export async function startSilentProvider(baseUrl: string): Promise<SilentProvider> {
  const { origin, pathname } = new URL(baseUrl);
  const server = createServer((request, response) => {
    passOn(origin, request, response).catch(() => response.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

async function passOn(origin: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { authorization = '', 'user-agent': agent = '' } = request.headers;
  const body = request.method === 'POST' ? await buffer(request) : undefined;
  const answer = await fetch(`${origin}${request.url ?? ''}`, {
    method: request.method ?? 'GET',
    headers: { authorization, 'user-agent': agent, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  const headers = KEPT.flatMap((name) => {
    const value = answer.headers.get(name);
    return value === null ? [] : [[name, value] as const];
  });
  response.writeHead(answer.status, Object.fromEntries(headers)).end(Buffer.from(await answer.arrayBuffer()));
}
