import { once } from 'node:events';
import { connect as connectHttp2, constants, createSecureServer } from 'node:http2';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { createServer, type TlsOptions } from 'node:tls';

/** Speaks TLS before a server that does not. */
export interface TlsFront {
  readonly port: number;
  /** Connections whose handshake went well. */
  readonly accepted: () => number;
  readonly close: () => void;
}

/**
 * Opens a front that ends TLS and passes everything on as it is.
 *
 * @param upstreamPort of the server on 127.0.0.1
 * @param options certificate and key; with `ca`, `requestCert` and `rejectUnauthorized` also mTLS
 */
export async function openTlsFront(upstreamPort: number, options: TlsOptions): Promise<TlsFront> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer(options, (socket) => {
    accepted += 1;
    const upstream = connect(upstreamPort, '127.0.0.1');
    for (const each of [socket, upstream]) {
      sockets.add(each);
      each.on('error', () => undefined);
    }
    socket.on('close', () => upstream.destroy());
    upstream.on('close', () => socket.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    accepted: () => accepted,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** A gRPC server with TLS that lets in whoever has the key, as Temporal Cloud does. */
export interface KeyFront {
  readonly port: number;
  /** Each call: its path, and what it said in `authorization`. */
  readonly calls: readonly { readonly path: string; readonly authorization: string | undefined }[];
  readonly close: () => void;
}

const GRPC_UNAUTHENTICATED = '16';

/** Opens one. @param upstreamPort of a gRPC server without TLS on 127.0.0.1 */
export async function openKeyFront(
  upstreamPort: number,
  key: string,
  options: TlsOptions,
): Promise<KeyFront> {
  const calls: { path: string; authorization: string | undefined }[] = [];
  const sockets = new Set<Socket>();
  const upstream = connectHttp2(`http://127.0.0.1:${upstreamPort}`);
  upstream.on('error', () => undefined);
  const server = createSecureServer(options);
  server.on('secureConnection', (socket: Socket) => void sockets.add(socket));
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, headers) => {
    const { authorization } = headers;
    calls.push({ path: headers[':path'] ?? '', authorization });
    stream.on('error', () => undefined);
    if (authorization === `Bearer ${key}`) return forward(stream, headers);
    const refusal = { 'grpc-status': GRPC_UNAUTHENTICATED, 'grpc-message': 'no valid key' };
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...refusal }, { endStream: true });
  });

  function forward(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const request = upstream.request({ ...headers, ':scheme': 'http' });
    let trailers: IncomingHttpHeaders = {};
    request.on('response', (answer, flags) => {
      if (stream.destroyed) return;
      const isEnd = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      stream.respond(answer, isEnd ? { endStream: true } : { waitForTrailers: true });
    });
    request.on('trailers', (sent: IncomingHttpHeaders) => {
      trailers = sent;
    });
    request.on('error', () => stream.close(constants.NGHTTP2_CANCEL));
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    stream.on('close', () => request.close(constants.NGHTTP2_CANCEL));
    stream.pipe(request);
    request.pipe(stream);
  }

  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    calls,
    close: () => {
      upstream.destroy();
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
