import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { pause } from './interruption.ts';

/**
 * Runs `work` while no other process on this machine holds the lock of that name. The lock is a socket in Linux's
 * abstract namespace: the kernel lets one process have a name and frees it when that process ends in whatever way, so
 * there is no stale lock to recognise.
 *
 * @param onWait called once if another process has the lock
 */
export async function withLock<T>(name: string, onWait: () => void, work: () => Promise<T>): Promise<T> {
  const path = `\0vector-ferry-${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  let server = await tryToListen(path);
  if (server === undefined) onWait();
  while (server === undefined) {
    await pause(200);
    server = await tryToListen(path);
  }
  try {
    return await work();
  } finally {
    server.close();
  }
}

function tryToListen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path }, () => resolve(server));
  });
}
