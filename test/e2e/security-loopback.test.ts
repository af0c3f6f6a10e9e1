import assert from 'node:assert/strict';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { describe, it } from 'node:test';
import { withDescendants, identify, type ProcessIdentity } from '../../src/stack/process-table.ts';
import { testStack } from '../support/stack.ts';

/** As the kernel numbers the states of a TCP socket. */
const LISTEN = '0A';

/** A socket that takes connections: its address as the kernel writes it, decoded. */
interface Listener {
  readonly address: string;
  readonly port: number;
}

/** The kernel writes an address as 32-bit words of the machine's own byte order (little-endian on x64 and arm64). */
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/gu) ?? []).flatMap((word) => [...Buffer.from(word, 'hex')].reverse());
  return bytes.length === 4 ? bytes.join('.') : Buffer.from(bytes).toString('hex');
}

/** Loopback, also where IPv4 is written as IPv6. */
function isLoopback(address: string): boolean {
  const v6Loopback = `${'0'.repeat(31)}1`;
  return address.startsWith('127.') || address === v6Loopback || /^0{20}ffff7f/u.test(address);
}

/** What the processes listen on, by /proc/net/tcp{,6} and the sockets among their open files. */
function listeners(processes: readonly ProcessIdentity[]): Listener[] {
  const inodes = new Set(
    processes.flatMap(({ pid }) =>
      readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
        try {
          return /^socket:\[(\d+)\]$/u.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
        } catch {
          // Closed since it was listed.
          return [];
        }
      }),
    ),
  );
  return ['tcp', 'tcp6'].flatMap((table) => {
    const lines = readFileSync(`/proc/net/${table}`, 'utf8').trim().split('\n').slice(1);
    return lines.flatMap((line) => {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/u);
      if (state !== LISTEN || !inodes.has(inode)) return [];
      const [address = '', port = ''] = local.split(':');
      return [{ address: addressOf(address), port: Number.parseInt(port, 16) }];
    });
  });
}

describe('the local stack', () => {
  for (const [name, service] of Object.entries(testStack().state().services)) {
    it(`${name} listens on loopback only`, (t) => {
      if (service.processes.length === 0) return t.skip('it has no process of its own here');
      const found = listeners(withDescendants(service.processes));
      const ports = new Set(found.map(({ port }) => port));
      // Some ports are used in containers only; without any, nothing would have been looked at.
      assert.ok(Object.values(service.ports).some((port) => ports.has(port)));
      const open = found.filter(({ address }) => !isLoopback(address));
      assert.deepEqual(open, []);
    });
  }

  it('and a server that listens everywhere would be found', async () => {
    for (const host of ['0.0.0.0', '::']) {
      const server = createServer();
      const isThere = await new Promise<boolean>((resolve) => {
        server.once('error', () => resolve(false));
        server.listen(0, host, () => resolve(true));
      });
      // A machine without IPv6 has nothing to listen on there.
      if (!isThere && host === '::') continue;
      const self = identify(process.pid);
      assert.ok(self !== undefined);
      const open = listeners([self]).filter(({ address }) => !isLoopback(address));
      server.close();
      assert.equal(open.length, 1, host);
    }
  });
});
