import { connect, type Socket } from 'node:net';
import { ScramClient } from './postgres-scram.ts';

/** Rows of text as PostgreSQL prints them. */
export type Query = (sql: string) => Promise<(string | null)[][]>;

interface Message {
  type: string;
  body: Buffer;
}

/**
 * Connects to PostgreSQL, lets `work` run SQL, and disconnects. Only what the stack itself needs: one connection, the
 * simple protocol (several statements in one text are one transaction unless they say otherwise), no parameters, and
 * no driver for the product to depend on.
 *
 * @param url postgres://user:password@host:port/database
 * @throws Error with PostgreSQL's own message
 */
export async function withPostgres<T>(url: string, work: (query: Query) => Promise<T>): Promise<T> {
  const { hostname, port, username, password, pathname } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port || 5432), timeout: 60_000 });
  socket.once('timeout', () => socket.destroy(new Error('PostgreSQL was silent for 60 s')));
  const messages = readMessages(socket);
  try {
    const user = decodeURIComponent(username);
    const database = decodeURIComponent(pathname.slice(1)) || user;
    socket.write(
      frame('', int32(196_608), text('user'), text(user), text('database'), text(database), Buffer.alloc(1)),
    );
    await authenticate(socket, messages, decodeURIComponent(password));
    await untilReady(messages);
    const result = await work(async (sql) => {
      socket.write(frame('Q', text(sql)));
      return untilReady(messages);
    });
    socket.end(frame('X'));
    return result;
  } finally {
    socket.destroySoon();
  }
}

/** A value of SQL: a text in quotes. */
export function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

async function authenticate(
  socket: Socket,
  messages: AsyncGenerator<Message>,
  password: string,
): Promise<void> {
  const scram = new ScramClient(password);
  for (;;) {
    const { type, body } = await next(messages);
    if (type === 'E') throw serverError(body);
    if (type !== 'R') continue;
    const detail = body.subarray(4);
    switch (body.readInt32BE(0)) {
      case 0:
        return;
      case 3:
        socket.write(frame('p', text(password)));
        break;
      case 10: {
        const first = Buffer.from(scram.first());
        socket.write(frame('p', text('SCRAM-SHA-256'), int32(first.length), first));
        break;
      }
      case 11:
        socket.write(frame('p', Buffer.from(scram.final(detail.toString()))));
        break;
      case 12:
        scram.verify(detail.toString());
        break;
      default:
        throw new Error(
          'PostgreSQL asks for a way to log in that the stack does not speak; use scram-sha-256',
        );
    }
  }
}

/** Reads to the end of the answer. An error is thrown after it, when the connection can be used again. */
async function untilReady(messages: AsyncGenerator<Message>): Promise<(string | null)[][]> {
  const rows: (string | null)[][] = [];
  let failure: Error | undefined;
  for (;;) {
    const { type, body } = await next(messages);
    if (type === 'D') rows.push(columns(body));
    else if (type === 'E') {
      failure = serverError(body);
      // A refused connection ends here, without the message that says `ready`.
      if (/^(?:FATAL|PANIC)/.test(failure.message)) throw failure;
    } else if (type === 'Z') {
      if (failure !== undefined) throw failure;
      return rows;
    }
  }
}

async function next(messages: AsyncGenerator<Message>): Promise<Message> {
  const result = await messages.next();
  if (result.done) throw new Error('PostgreSQL closed the connection');
  return result.value;
}

async function* readMessages(socket: Socket): AsyncGenerator<Message> {
  let pending = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 5) {
      const end = 1 + pending.readInt32BE(1);
      if (pending.length < end) break;
      yield { type: String.fromCharCode(pending[0] ?? 0), body: pending.subarray(5, end) };
      pending = pending.subarray(end);
    }
  }
}

function columns(body: Buffer): (string | null)[] {
  let at = 2;
  return Array.from({ length: body.readInt16BE(0) }, () => {
    const length = body.readInt32BE(at);
    at += 4;
    if (length < 0) return null;
    at += length;
    return body.toString('utf8', at - length, at);
  });
}

function serverError(body: Buffer): Error {
  const fields = Object.fromEntries(
    body
      .toString('utf8')
      .split('\0')
      .map((part) => [part.slice(0, 1), part.slice(1)]),
  );
  const where = fields['P'] === undefined ? '' : ` at character ${fields['P']}`;
  return new Error(`${fields['V'] ?? fields['S']} ${fields['C']}: ${fields['M']}${where}`);
}

function frame(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}
