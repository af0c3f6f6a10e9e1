import { connect } from 'node:net';

const TIMEOUT_MS = 2_000;

/** Temporal's own port, where an address has none. */
const DEFAULT_PORT = 7_233;

/**
 * Opens a bare connection and closes it.
 *
 * @param address `host`, `host:port` or `[ipv6]:port`
 * @returns why there is none, for a person (`connection refused`), or null if somebody listens
 */
export async function describeTcp(address: string): Promise<string | null> {
  const [, host = address, port] = /^\[?(.+?)\]?(?::(\d+))?$/u.exec(address) ?? [];
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port ?? DEFAULT_PORT), timeout: TIMEOUT_MS });
    const end = (problem: string | null) => () => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('connect', end(null));
    socket.once('timeout', end('no answer'));
    socket.once('error', (error: NodeJS.ErrnoException) => end(reasonOf(error.code))());
  });
}

function reasonOf(code: string | undefined): string {
  if (code === 'ECONNREFUSED') return 'connection refused: nothing listens there';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'there is no host of that name';
  return code ?? 'no connection';
}
