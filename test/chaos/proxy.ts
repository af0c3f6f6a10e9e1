/**
 * A TCP proxy for each link between workers and servers, in a process of its own so that a busy test delays nothing.
 * Started with fork: told by messages what to do, it answers each.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Trouble } from './fault.ts';

/** What the parent process asks for. */
export type ProxyRequest =
  | { readonly does: 'listen'; readonly host: string; readonly port: number }
  | { readonly does: 'trouble'; readonly link: number; readonly trouble: Trouble }
  | { readonly does: 'cut'; readonly link: number };

/** What has become of it. */
export interface ProxyAnswer {
  /** Of a link that listens now. */
  readonly port?: number;
  /** Connections at this moment. */
  readonly connections: number;
  /** Connections on which an answer was on its way, or may have arrived without being read. */
  readonly unread: number;
  /** Bytes that have come through so far. */
  readonly bytes: number;
}

/** After so long, a client has read what it was sent. */
const READ_WITHIN_MS = 1_000;
const SLICES_PER_SECOND = 20;

class Connection {
  readonly #client: Socket;
  readonly #server: Socket;
  #answeredAt = -Infinity;
  #held = 0;

  constructor(client: Socket, server: Socket) {
    this.#client = client;
    this.#server = server;
  }

  get hasUnread(): boolean {
    const isFresh = performance.now() - this.#answeredAt < READ_WITHIN_MS;
    return isFresh || this.#held > 0 || this.#client.writableLength > 0;
  }

  cut(): void {
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  /** Both ways, until either side has ended. */
  async carry(link: Link): Promise<void> {
    this.#client.setNoDelay();
    this.#server.setNoDelay();
    const upwards = this.#pass(this.#client, this.#server, link, false);
    const downwards = this.#pass(this.#server, this.#client, link, true);
    await Promise.all([upwards, downwards]);
  }

  async #pass(from: Socket, to: Socket, link: Link, isAnswer: boolean): Promise<void> {
    // Each slice leaves so long after it came, in order; a delay is no limit on the rate.
    let last: Promise<void> = Promise.resolve();
    try {
      for await (const data of from as AsyncIterable<Buffer>) {
        link.bytes += data.length;
        if (isAnswer) this.#held++;
        const due = sleep(link.trouble.delayMs ?? 0);
        const before = last;
        last = (async () => {
          await before;
          await due;
          await link.passable();
          await send(to, data, link);
          if (isAnswer) {
            this.#held--;
            this.#answeredAt = performance.now();
          }
        })();
        last.catch(() => undefined);
        if (link.trouble.bytesPerSecond !== undefined) await last;
      }
      await last;
      to.end();
    } catch {
      to.destroy();
    }
  }
}

async function send(to: Socket, data: Buffer, link: Link): Promise<void> {
  for (let at = 0; at < data.length;) {
    const rate = link.trouble.bytesPerSecond;
    const length = rate === undefined ? data.length - at : Math.ceil(rate / SLICES_PER_SECOND);
    if (to.destroyed) throw new Error('gone');
    if (!to.write(data.subarray(at, at + length)) && rate === undefined) {
      await Promise.race([new Promise((resolve) => to.once('drain', resolve)), closed(to)]);
    }
    at += length;
    if (rate !== undefined) await sleep(1_000 / SLICES_PER_SECOND);
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

class Link {
  trouble: Trouble = {};
  bytes = 0;
  readonly connections = new Set<Connection>();
  #open = Promise.withResolvers<void>();

  /** Resolves at once, or when the black hole is over. */
  async passable(): Promise<void> {
    while (this.trouble.isBlackHole === true) await this.#open.promise;
  }

  change(trouble: Trouble): void {
    this.trouble = trouble;
    this.#open.resolve();
    this.#open = Promise.withResolvers();
  }

  cut(): void {
    for (const connection of this.connections) connection.cut();
  }

  get unread(): number {
    return [...this.connections].filter(({ hasUnread }) => hasUnread).length;
  }
}

const links: Link[] = [];

async function listen(host: string, port: number): Promise<number> {
  const link = new Link();
  links.push(link);
  const server = createServer((client) => {
    const upstream = connect({ host, port });
    const connection = new Connection(client, upstream);
    link.connections.add(connection);
    for (const socket of [client, upstream]) {
      socket.on('error', () => connection.cut());
      socket.once('close', () => link.connections.delete(connection));
    }
    void connection.carry(link);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function answer(request: ProxyRequest): Promise<ProxyAnswer> {
  if (request.does === 'listen') {
    return { port: await listen(request.host, request.port), connections: 0, unread: 0, bytes: 0 };
  }
  const link = links[request.link];
  if (link === undefined) throw new Error(`there is no link ${request.link}`);
  const told = { connections: link.connections.size, unread: link.unread, bytes: link.bytes };
  if (request.does === 'cut') link.cut();
  else link.change(request.trouble);
  return told;
}

process.on('message', ({ id, request }: { id: number; request: ProxyRequest }) => {
  void answer(request).then((told) => process.send?.({ id, answer: told }));
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole group; the parent says when to end.
process.on('SIGINT', () => undefined);
