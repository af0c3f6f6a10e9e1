import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { it } from 'node:test';

/** A request on its way to a service. */
export interface Call {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** An answer on its way back. */
export interface Reply {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** What a proxy does in the place of passing on; `send` asks the real service. */
export type Plant = (call: Call, send: (call: Call) => Promise<Reply>) => Promise<Reply>;

/** A service that does something wrong, and the check that has to notice it. */
export type PlantedFault = readonly [name: string, plant: Plant, noticedBy: string];

/** A proxy that runs. */
export interface PlantedProxy {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts a proxy before the service at `url` (without a path) that behaves as planted, so that a suite can show that it
 * notices.
 */
export async function startPlantedProxy(url: string, plant: Plant): Promise<PlantedProxy> {
  const send = async ({ method, path, headers, body }: Call): Promise<Reply> => {
    const answer = await fetch(`${url}${path}`, { method, headers, body: body === '' ? undefined : body });
    return { status: answer.status, headers: kept(answer.headers), body: await answer.text() };
  };
  const server = createServer((request, response) => {
    void callOf(request)
      .then((call) => plant(call, send))
      .then(
        ({ status, headers, body }) => {
          response.writeHead(status, headers).end(status === 204 ? undefined : body);
        },
        () => response.destroy(),
      );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * A test for each fault: its check must fail.
 *
 * @param failuresWith runs the suite through a proxy and gives the names of the checks that fail
 */
export function itNotices(
  faults: readonly PlantedFault[],
  failuresWith: (plant: Plant) => Promise<string[]>,
): void {
  for (const [name, plant, noticedBy] of faults) {
    it(name, async (t) => {
      const failed = await failuresWith(plant);
      t.diagnostic(`failed: ${failed.join('; ')}`);
      assert.ok(failed.includes(noticedBy), `'${noticedBy}' passed; failed: ${failed.join('; ') || 'none'}`);
    });
  }
}

/** Headers that concern one connection or the form of the body on it. */
const PER_CONNECTION = new Set([
  ...['host', 'connection', 'keep-alive', 'transfer-encoding'],
  ...['content-length', 'content-encoding', 'accept-encoding'],
]);

function kept(headers: Iterable<[string, string | string[] | undefined]>): Record<string, string> {
  const all = [...headers].flatMap(([name, value]) =>
    PER_CONNECTION.has(name) || typeof value !== 'string' ? [] : [[name, value] as const],
  );
  return Object.fromEntries(all);
}

async function callOf(request: IncomingMessage): Promise<Call> {
  let body = '';
  request.setEncoding('utf8');
  for await (const part of request as AsyncIterable<string>) body += part;
  const { method = 'GET', url: path = '/' } = request;
  return { method, path, headers: kept(Object.entries(request.headers)), body };
}
