import { QdrantClient } from '@qdrant/js-client-rest';
import { Fault } from '../errors.ts';
import { faultOf } from './errors.ts';
import type { TargetSettings } from './settings.ts';

type Api = ReturnType<QdrantClient['api']>;

/** Sends one request and gives the `result` of its reply. */
export type Send = <T>(
  signal: AbortSignal,
  request: (api: Api, init: RequestInit) => Promise<{ data: { result?: T } }>,
) => Promise<T>;

/**
 * Connects to Qdrant, lazily. Requests are sent once: who calls repeats. An aborted signal ends the request in hand
 * and its reason is thrown as it is; everything else that the driver throws goes through {@link faultOf}.
 */
export function connect(settings: TargetSettings): Send {
  const client = new QdrantClient({
    ...address(settings.QDRANT_URL),
    headers: {
      // A compressed reply costs 45 ms even on loopback, a plain one 3 ms.
      'accept-encoding': 'identity',
      // Not as `apiKey`: the client then warns on the console about every address without TLS.
      ...(settings.QDRANT_API_KEY === undefined ? {} : { 'api-key': settings.QDRANT_API_KEY }),
    },
    checkCompatibility: false,
    // The client's own timer would replace our signal; this switches it off.
    timeout: Infinity,
  });
  const api = client.api();
  const timeoutMs = settings.QDRANT_TIMEOUT_SECONDS * 1000;

  return async (signal, request) => {
    signal.throwIfAborted();
    const controller = new AbortController();
    const onAbort = () => controller.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const timer = setTimeout(() => {
      controller.abort(
        new DOMException(`no reply within ${settings.QDRANT_TIMEOUT_SECONDS} s`, 'TimeoutError'),
      );
    }, timeoutMs);
    try {
      const { data } = await request(api, { signal: controller.signal });
      // A web page with status 200 arrives here as a string.
      if (typeof data !== 'object' || data?.result === undefined) {
        throw new Fault('target_refused', 'the address does not answer as Qdrant does; check QDRANT_URL');
      }
      return data.result;
    } catch (error) {
      signal.throwIfAborted();
      throw faultOf(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  };
}

/**
 * Splits an address as the client wants it: it takes port 6333 where the parsed URL shows none, also for `:443` and
 * `:80` that were written out, and it forgets a path.
 */
export function address(text: string): { url: string; port: number; prefix: string } {
  const url = new URL(text);
  const written = /^https?:\/\/[^/?#]*:(\d+)(?:[/?#]|$)/i.exec(text)?.[1];
  return {
    url: url.origin,
    port: written === undefined ? 6333 : Number(written),
    prefix: url.pathname.replace(/\/+$/, ''),
  };
}
