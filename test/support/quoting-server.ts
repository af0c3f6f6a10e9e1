import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A server in the place of a real one whose every answer quotes what it was sent, keys and all. */
export interface QuotingServer {
  readonly url: string;
  /** How many requests it has answered. */
  readonly requests: () => number;
  readonly close: () => void;
}

/** @param statuses of the answers, in turn; 200 comes with a body that is no answer to anything */
export async function openQuotingServer(statuses: readonly number[]): Promise<QuotingServer> {
  let requests = 0;
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const status = statuses[requests++ % statuses.length] ?? 500;
      const quoted = `${request.url} ${JSON.stringify(request.headers)} ${body}`;
      // Errors as OpenAI, Qdrant and PostgREST write them, all in one.
      const error = { message: quoted, type: quoted, param: quoted };
      const answer = {
        error,
        status: { error: quoted },
        message: quoted,
        details: quoted,
        hint: quoted,
        result: quoted,
      };
      const { apikey = '', authorization = '' } = request.headers;
      response
        .writeHead(status, quoted.replace(/[^\x20-\x7e]/gu, '').slice(0, 2_000), {
          'content-type': 'application/json',
          'x-quoted': `${String(apikey)} ${authorization}`,
        })
        .end(JSON.stringify(answer));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
