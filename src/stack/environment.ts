import { delimiter, join } from 'node:path';
import { accessSync, constants, statSync } from 'node:fs';
import { StackProblem } from './problem.ts';

// The stack never looks at the product's variables, which may name production: it needs its own few settings and where
// this machine keeps programs and caches. That is why it has a reader of its own beside src/config.ts.
// eslint-disable-next-line no-restricted-syntax
const variables: NodeJS.ProcessEnv = process.env;

/** What a variable of the stack says, or undefined when it is unset or empty. */
export function setting(name: `FERRY_STACK_${string}` | `XDG_${string}`): string | undefined {
  return variables[name] || undefined;
}

/**
 * The folder that the user calls home. The system's list of users is not asked: a program that was started without HOME
 * (by a scheduler, in a container) should not begin to write into somebody's home.
 *
 * @throws StackProblem when HOME is not set
 */
export function home(): string {
  const folder = variables['HOME'];
  if (folder !== undefined && folder !== '') return folder;
  throw new StackProblem([
    'HOME is not set, so there is no place for the files of the stack: set HOME, or both XDG_CACHE_HOME (for installed ' +
      'programs) and one of FERRY_STACK_DIR and XDG_STATE_HOME (for the data of the stack)',
  ]);
}

/** How the user reaches Docker; a client that lacks these talks to another daemon. */
export function dockerEnvironment(): Record<string, string> {
  const own = Object.entries(variables).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && /^(?:DOCKER_[A-Z_]+|XDG_RUNTIME_DIR|SSH_AUTH_SOCK)$/.test(entry[0]),
  );
  return Object.fromEntries(own);
}

/**
 * The environment of a service of the stack: enough to find programs and to write text, nothing that could point it
 * at another server (TEMPORAL_*, PG*, QDRANT__*), hand it a secret of the product, or go away before it (TMPDIR).
 */
export function serviceEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const kept = ['PATH', 'HOME', 'USER', 'LOGNAME', 'LANG'];
  const base = kept.flatMap((name): [string, string][] => {
    const value = variables[name];
    return value === undefined ? [] : [[name, value]];
  });
  return { ...Object.fromEntries(base), TZ: 'UTC', ...extra };
}

/** The environment of an installer (npm, pip, go, apt): the user's own, because proxies and mirrors are set there. */
export function installerEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const own = Object.entries(variables).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined &&
      // `npm test` hands its own settings down as variables; an npm below it would take them for the user's wishes.
      !/^npm_(?:config_(?:prefix|local_prefix|global)|package_|lifecycle_)/i.test(entry[0]),
  );
  return { ...Object.fromEntries(own), ...extra };
}

/**
 * The path of a program on PATH, or undefined.
 *
 * @param more folders to look into after PATH: Debian keeps servers outside the PATH of ordinary users
 */
export function findProgram(name: string, more: readonly string[] = []): string | undefined {
  const folders = [...(variables['PATH'] ?? '').split(delimiter), ...more];
  for (const folder of folders.filter((candidate) => candidate.startsWith('/'))) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return path;
    } catch {
      continue;
    }
  }
  return undefined;
}
