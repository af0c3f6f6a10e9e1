import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { closedFolder, databaseAccount, enterableFolder } from './account.ts';
import { home, setting } from './environment.ts';
import type { ProcessIdentity } from './process-table.ts';
import type { Resolution, ServiceName, Values } from './service.ts';

/** What stack.json holds of one service. */
export interface ServiceState {
  resolution: Resolution;
  /** What a client needs: host, port, url, key and the like, as the service names them. */
  connection: Values;
  ports: Record<string, number>;
  secrets: Values;
  processes: ProcessIdentity[];
  dir: string;
  logFile: string;
}

/** What stack.json holds. It has passwords: only its owner can read it. */
export interface StackState {
  format: 'vector-ferry stack 1';
  id: string;
  /** The stack's own folder, so that a copied stack.json owns nothing. */
  dir: string;
  createdAt: string;
  services: Partial<Record<ServiceName, ServiceState>>;
}

const format = 'vector-ferry stack 1';
const fileName = 'stack.json';

/**
 * The folder of the stack: `dir`, else FERRY_STACK_DIR, else `vector-ferry/stack` in XDG_STATE_HOME or ~/.local/state;
 * as root, when the user that runs the databases could not enter that, /var/lib/vector-ferry/stack.
 */
export function stackDir(dir?: string): string {
  const base = setting('XDG_STATE_HOME') ?? join(home(), '.local', 'state');
  const byDefault = enterableFolder(join(base, 'vector-ferry', 'stack'), '/var/lib/vector-ferry/stack');
  const folder = resolve(dir || setting('FERRY_STACK_DIR') || byDefault);
  return existsSync(folder) ? realpathSync(folder) : folder;
}

/**
 * The state of the stack in a folder, or undefined when there is none.
 *
 * @throws Error when the folder holds a stack.json that is not this folder's
 */
export function readState(dir: string): StackState | undefined {
  const path = join(dir, fileName);
  if (!existsSync(path)) return undefined;
  let state: Partial<StackState>;
  try {
    state = JSON.parse(readFileSync(path, 'utf8')) as Partial<StackState>;
  } catch (error) {
    throw new Error(`${path} is not readable as JSON`, { cause: error });
  }
  if (state.format !== format) throw new Error(`${path} was not written by this version of the stack`);
  if (state.dir !== realpathSync(dir))
    throw new Error(`${path} belongs to the stack in ${state.dir}, not to this folder`);
  return state as StackState;
}

/** Writes stack.json in one step: a reader sees the old one or the new one. */
export function writeState(state: StackState): void {
  const path = join(state.dir, fileName);
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, path);
}

/**
 * Makes the folder of a new stack.
 *
 * @throws Error when the folder holds something else, or, as root, when the databases' user cannot come near it
 */
export function createState(dir: string): StackState {
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    throw new Error(`${dir} is not empty and holds no stack; choose another folder with FERRY_STACK_DIR`);
  }
  const account = databaseAccount();
  mkdirSync(dir, { recursive: true });
  // Others may pass through (the databases' user has to) but not look around.
  chmodSync(dir, account === undefined ? 0o700 : 0o711);
  const closed = account && closedFolder(dir, account);
  if (closed !== undefined) {
    throw new Error(
      `as root the databases run as the user ${account?.name}, who may not enter ${closed}; ` +
        'choose another folder with FERRY_STACK_DIR',
    );
  }
  const createdAt = new Date().toISOString();
  return { format, id: randomUUID(), dir: realpathSync(dir), createdAt, services: {} };
}
