import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import { closedFolder, databaseAccount, enterableFolder } from './account.ts';
import { home, setting } from './environment.ts';
import { StackProblem } from './problem.ts';
import { pidsWorkingIn, type ProcessIdentity } from './process-table.ts';
import type { Resolution, ServiceName, Values } from './service.ts';
import { storageProblem } from './storage-problem.ts';

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
 *
 * @throws StackProblem when none of these and no HOME is set
 */
export function stackDir(dir?: string): string {
  const folder = resolve(dir || setting('FERRY_STACK_DIR') || ordinaryDir());
  return existsSync(folder) ? realpathSync(folder) : folder;
}

function ordinaryDir(): string {
  const base = setting('XDG_STATE_HOME') ?? join(home(), '.local', 'state');
  return enterableFolder(join(base, 'vector-ferry', 'stack'), '/var/lib/vector-ferry/stack');
}

/**
 * The state of the stack in a folder, or undefined when there is none.
 *
 * @throws StackProblem when the folder holds a stack.json that is damaged or not this folder's
 */
export function readState(dir: string): StackState | undefined {
  const path = join(dir, fileName);
  if (!existsSync(path)) return undefined;
  const state = parsed(textOf(path));
  if (state === undefined) throw new StackProblem([damaged(path, realpathSync(dir))]);
  if (state.format !== format) {
    throw new StackProblem([
      `${path} was not written by this version of the stack; use that version, or choose another folder with ` +
        'FERRY_STACK_DIR',
    ]);
  }
  if (state.dir !== realpathSync(dir)) {
    throw new StackProblem([
      `${path} belongs to the stack in ${state.dir}, not to this folder; work with that one, or remove this copy`,
    ]);
  }
  return state as StackState;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new StackProblem(
      [
        `${path} cannot be read (${code}); work as the user who made the stack, or set FERRY_STACK_DIR to another folder`,
      ],
      { cause: error },
    );
  }
}

function parsed(text: string): Partial<StackState> | undefined {
  try {
    const value = JSON.parse(text) as Partial<StackState> | null;
    const isWhole = isRecord(value) && (value?.format !== format || isRecord(value.services));
    return isWhole ? (value ?? undefined) : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The pids were in the file, but whatever the stack runs works in its folder. */
function damaged(path: string, dir: string): string {
  const pids = pidsWorkingIn(dir);
  const first =
    pids.length === 0 ? '' : `end what still runs in that folder (\`kill ${pids.join(' ')}\`), then `;
  return (
    `${path} is damaged: it is not readable as the state of a stack, which therefore cannot be used any more. ` +
    `To begin again, ${first}remove ${dir}; \`ferry stack up\` makes a new stack`
  );
}

/** Writes stack.json in one step: a reader sees the old one or the new one. */
export function writeState(state: StackState): void {
  const path = join(state.dir, fileName);
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
    renameSync(temporary, path);
  } catch (error) {
    // Half a file would take the last bytes of a full disk.
    rmSync(temporary, { force: true });
    throw error;
  }
}

/**
 * Makes the folder of a new stack.
 *
 * @throws StackProblem when the folder holds something else or cannot be written, or, as root, when the databases' user
 *   cannot come near it
 */
export function createState(dir: string): StackState {
  if (existsSync(dir) && !statSync(dir).isDirectory()) {
    throw new StackProblem([`${dir} is not a folder; choose another one with FERRY_STACK_DIR`]);
  }
  if (existsSync(dir) && readdirSync(dir).length > 0) {
    throw new StackProblem([
      `${dir} is not empty and holds no stack; choose another folder with FERRY_STACK_DIR`,
    ]);
  }
  const account = databaseAccount();
  try {
    mkdirSync(dir, { recursive: true });
    // Others may pass through (the databases' user has to) but not look around.
    chmodSync(dir, account === undefined ? 0o700 : 0o711);
    accessSync(dir, constants.W_OK);
  } catch (error) {
    const problem =
      storageProblem(error, dir) ?? `the folder ${dir} cannot be made: ${(error as Error).message}`;
    throw new StackProblem([problem], { cause: error });
  }
  const closed = account && closedFolder(dir, account);
  if (closed !== undefined) {
    throw new StackProblem([
      `as root the databases run as the user ${account?.name}, who may not enter ${closed}; ` +
        'choose another folder with FERRY_STACK_DIR',
    ]);
  }
  const createdAt = new Date().toISOString();
  return { format, id: randomUUID(), dir: realpathSync(dir), createdAt, services: {} };
}
