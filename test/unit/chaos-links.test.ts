import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Links } from '../chaos/links.ts';

const ANSWER = 'x'.repeat(64 * 1024);

describe('proxies between workers and servers', () => {
  let server: Server;
  let links: Links;
  let url: string;

  before(async () => {
    server = createServer((_, response) => response.end(ANSWER));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const address = `http://127.0.0.1:${port}`;
    links = await Links.open({
      MYSQL_PORT: String(port),
      QDRANT_URL: address,
      OPENAI_BASE_URL: `${address}/v1`,
      SUPABASE_URL: address,
      TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
    });
    url = links.settings['OPENAI_BASE_URL'] ?? '';
  });

  after(async () => {
    await links.close();
    server.closeAllConnections();
    server.close();
  });

  beforeEach(() => links.trouble('embeddings', {}));

  const ask = async (): Promise<number> => {
    const begin = performance.now();
    assert.equal(await (await fetch(url)).text(), ANSWER);
    return performance.now() - begin;
  };

  it('give each server an address of their own, of the same form', () => {
    const { MYSQL_PORT, TEMPORAL_ADDRESS, ...urls } = links.settings;
    assert.match(MYSQL_PORT ?? '', /^\d+$/);
    assert.match(TEMPORAL_ADDRESS ?? '', /^127\.0\.0\.1:\d+$/);
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/v1$/);
    assert.equal(new Set([MYSQL_PORT, ...Object.values(urls)]).size, 4);
  });

  it('pass everything on', async () => {
    await ask();
    assert.ok((await links.trouble('embeddings', {})).bytes > ANSWER.length);
  });

  it('delay what they pass on, both ways', async () => {
    await links.trouble('embeddings', { delayMs: 150 });
    assert.ok((await ask()) >= 290);
  });

  it('throttle it', async () => {
    await links.trouble('embeddings', { bytesPerSecond: 128 * 1024 });
    assert.ok((await ask()) >= 450);
  });

  it('say nothing as a black hole, and go on after it', async () => {
    await links.trouble('embeddings', { isBlackHole: true });
    const answered = ask();
    assert.equal(await Promise.race([answered, sleep(400).then(() => 'silent')]), 'silent');
    await links.trouble('embeddings', {});
    assert.ok((await answered) >= 400);
  });

  it('reset connections, and tell whether an answer may be lost with them', async () => {
    await sleep(1_100);
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>;
    await once(socket, 'connect');
    await sleep(100);
    const idle = await links.cut('embeddings');
    assert.ok(idle.connections >= 1);
    assert.equal(idle.unread, 0, 'nothing was on its way');
    assert.equal((await failed)[0].code, 'ECONNRESET');
    await ask();
    assert.equal((await links.cut('embeddings')).unread, 1, 'an answer that may not have been read');
    await ask();
  });
});

describe('the clock of a worker', () => {
  it('is off by what its file says, in every form of Date, and monotonic time is not', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ferry-clock-'));
    const file = join(dir, 'clock');
    writeFileSync(file, String(-3_600_000));
    try {
      const program = `
        const before = Date.now(); const mono = performance.now();
        const { setTimeout: sleep } = await import('node:timers/promises');
        const { writeFileSync } = await import('node:fs');
        writeFileSync(${JSON.stringify(file)}, '7200000');
        await sleep(400);
        console.log(JSON.stringify({ before, after: new Date().getTime(), text: Date.parse(Date()),
          mono: performance.now() - mono, isDate: new Date() instanceof Date, fixed: new Date(5).getTime() }));`;
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [
          `--import=${new URL('../chaos/clock.ts', import.meta.url).href}`,
          '--input-type=module',
          '-e',
          program,
        ],
        { env: { CHAOS_CLOCK: file } },
      );
      const told = JSON.parse(stdout) as Record<'before' | 'after' | 'text' | 'mono' | 'fixed', number> & {
        isDate: boolean;
      };
      const near = (value: number, expected: number): boolean => Math.abs(value - expected) < 30_000;
      assert.ok(near(told.before, Date.now() - 3_600_000), 'an hour behind');
      assert.ok(near(told.after, Date.now() + 7_200_000), 'two hours ahead');
      assert.ok(near(told.text, Date.now() + 7_200_000));
      assert.ok(told.mono < 30_000 && told.mono >= 390);
      assert.ok(told.isDate);
      assert.equal(told.fixed, 5);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
