import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

const lowestPort = 20_000;

/**
 * The first port that the system hands out to outgoing connections. A service that is killed and started again must
 * find its port free, so its port lies below: above, a client that tries to reconnect can be given the very port of
 * the dead server (and then even connects to itself).
 */
function firstEphemeralPort(): number {
  try {
    const [low] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/);
    return Number(low);
  } catch {
    return 32_768;
  }
}

/** Why no server could listen on this port of 127.0.0.1 now, as the end of a sentence; undefined when one could. */
export function portProblem(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code, message }: NodeJS.ErrnoException) => {
      if (code === 'EADDRINUSE') resolve('is taken by another program');
      else resolve(code === 'EACCES' ? 'needs root (as all below 1024 do)' : `cannot be used (${message})`);
    });
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(undefined)));
  });
}

/** True when a server could listen on this port of 127.0.0.1 now. */
export async function isFree(port: number): Promise<boolean> {
  return (await portProblem(port)) === undefined;
}

/**
 * A port of 127.0.0.1 that nothing listens on, not one of `taken`.
 *
 * @throws Error when none was found
 */
export async function freePort(taken: ReadonlySet<number>): Promise<number> {
  const first = firstEphemeralPort();
  const range: [number, number] = first - lowestPort >= 1_000 ? [lowestPort, first] : [lowestPort, 65_536];
  for (let attempt = 0; attempt < 1_000; attempt += 1) {
    const port = randomInt(...range);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`no free port found between ${range[0]} and ${range[1]}`);
}
