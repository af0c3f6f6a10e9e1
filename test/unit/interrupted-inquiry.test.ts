import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';

const CLI = join(import.meta.dirname, '../../src/cli.ts');

const dir = mkdtempSync(join(tmpdir(), 'ferry-interrupted-'));
/** A database that takes connections and never says a word: the driver gives it up after ten seconds. */
const mute = createServer();
const sockets = new Set<Socket>();
mute.on('connection', (socket) => {
  sockets.add(socket);
  socket.on('error', () => undefined);
});
before(() => once(mute.listen(0, '127.0.0.1'), 'listening'));
after(() => {
  for (const socket of sockets) socket.destroy();
  mute.close();
  rmSync(dir, { recursive: true });
});

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  for (const args of [['preflight'], ['inspect', '1']]) {
    test(
      `${signal} while \`${args[0]} --local\` waits for a server that is out`,
      { timeout: 60_000 },
      async () => {
        const env = {
          PATH: process.env['PATH'] ?? '',
          HOME: dir,
          MYSQL_HOST: '127.0.0.1',
          MYSQL_PORT: String((mute.address() as AddressInfo).port),
          MYSQL_USER: 'ferry',
          MYSQL_PASSWORD: 'pw',
          MYSQL_DATABASE: 'memos',
          QDRANT_URL: 'http://127.0.0.1:1',
          OPENAI_API_KEY: 'sk-test',
          OPENAI_BASE_URL: 'http://127.0.0.1:1/v1',
        };
        const connected = once(mute, 'connection');
        const child = spawn(process.execPath, [CLI, ...args, '--local'], { cwd: dir, env });
        const [stdout, stderr, ended] = [text(child.stdout), text(child.stderr), once(child, 'close')];
        await Promise.race([connected, ended]);
        child.kill(signal);
        assert.deepEqual([await ended, await stdout], [[code, null], '']);
        // Neither the driver's own words nor its timeout take the place of what happened.
        assert.match(await stderr, /^interrupted: Interrupted; nothing was changed/mu);
        assert.doesNotMatch(await stderr, /ETIMEDOUT/u);
      },
    );
  }
}
