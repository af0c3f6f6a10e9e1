import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TargetSettings } from '../../src/target/settings.ts';

/** A request on its way; bodies are text, since JSON.parse would round large integers. */
export interface ProxiedRequest {
  readonly method: string;
  /** With its query string. */
  readonly path: string;
  readonly body: string;
}

/** What a proxy does to what passes; everything else goes through as it is. */
export interface Tampering {
  /** @returns the body to send on; null: the request is not sent, and `answer` has to give its reply */
  readonly request?: (request: ProxiedRequest) => string | null;
  /** @returns the body to answer with; `reply` is null if the request was not sent */
  readonly answer?: (request: ProxiedRequest, reply: string | null) => string;
  /** Called with each request once it is answered; `send` sends a further one. */
  readonly afterwards?: (
    request: ProxiedRequest,
    send: (held: ProxiedRequest) => Promise<string>,
  ) => Promise<void>;
  /** Breaks the connection off instead of answering. */
  readonly breaksOff?: boolean;
}

/** A proxy in front of a Qdrant, on a port of its own. */
export async function startProxy(
  settings: TargetSettings,
  tampering: Tampering,
): Promise<{ url: string; close: () => Promise<void> }> {
  async function send({ method, path, body }: ProxiedRequest): Promise<Response> {
    const headers = {
      'content-type': 'application/json',
      'accept-encoding': 'identity',
      ...(settings.QDRANT_API_KEY === undefined ? {} : { 'api-key': settings.QDRANT_API_KEY }),
    };
    const hasBody = body !== '' && method !== 'GET';
    return fetch(settings.QDRANT_URL + path, { method, headers, ...(hasBody ? { body } : {}) });
  }

  async function serve(request: ProxiedRequest): Promise<{ status: number; text: string } | null> {
    const body = tampering.request === undefined ? request.body : tampering.request(request);
    const reply = body === null ? null : await send({ ...request, body });
    const text = reply === null ? null : await reply.text();
    if (tampering.breaksOff === true) return null;
    const answer = reply === null || reply.ok ? (tampering.answer?.(request, text) ?? text) : text;
    if (answer === null) throw new Error(`no answer to ${request.method} ${request.path}`);
    await tampering.afterwards?.(request, async (held) => (await send(held)).text());
    return { status: reply?.status ?? 200, text: answer };
  }

  const server = createServer((incoming, outgoing) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (part: string) => (body += part));
    incoming.on('end', () => {
      void serve({ method: incoming.method ?? 'GET', path: incoming.url ?? '/', body }).then(
        (reply) => {
          if (reply === null) outgoing.destroy();
          else outgoing.writeHead(reply.status, { 'content-type': 'application/json' }).end(reply.text);
        },
        () => outgoing.destroy(),
      );
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
