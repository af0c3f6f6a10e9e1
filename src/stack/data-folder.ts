import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { databaseAccount } from './account.ts';

/** A password or key of 32 characters that needs quoting nowhere. */
export function randomSecret(): string {
  return randomBytes(16).toString('hex');
}

/** A folder that only the user who runs the databases can read. */
export function makeOwnedFolder(path: string): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o700);
  const account = databaseAccount();
  if (account !== undefined) chownSync(path, account.uid, account.gid);
}
