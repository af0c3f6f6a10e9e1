import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** An unprivileged user, for servers that refuse to run as root. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** True when this process runs as root. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * The user that runs PostgreSQL and MariaDB: undefined (oneself) unless we are root, else the first that exists of
 * postgres, mysql and nobody. No user is ever created.
 */
export function databaseAccount(): Account | undefined {
  if (!isRoot()) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'mysql', 'nobody']) {
    const fields = lines.find((line) => line.startsWith(`${name}:`))?.split(':');
    if (fields !== undefined) return { name, uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return { name: 'nobody', uid: 65534, gid: 65534 };
}

/**
 * The first folder on the way to `path`, itself included, that the account may not enter, or undefined when it can.
 * Folders that do not exist yet are passed over: we make them enterable.
 */
export function closedFolder(path: string, account: Account): string | undefined {
  const parent = dirname(path);
  const above = parent === path ? undefined : closedFolder(parent, account);
  if (above !== undefined) return above;
  try {
    const { mode, uid, gid } = statSync(path);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    return (mode & bit) === 0 ? path : undefined;
  } catch {
    return undefined;
  }
}

/** The preferred folder, or, as root, the system's when the databases' user could not enter the preferred one. */
export function enterableFolder(preferred: string, system: string): string {
  const account = databaseAccount();
  return account !== undefined && closedFolder(preferred, account) !== undefined ? system : preferred;
}
