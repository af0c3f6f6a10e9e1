import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { givenAddress } from '../src/stack/bring-up.ts';
import { setting } from '../src/stack/environment.ts';
import { serviceNames } from '../src/stack/service.ts';
import { down, up, type Progress, type Stack } from '../src/stack/stack.ts';
import { readState, stackDir } from '../src/stack/state.ts';

/** The demo's folder: FERRY_STACK_DIR, else `demo` beside the folder of the ordinary stack. */
export function demoDir(): string {
  return setting('FERRY_STACK_DIR') === undefined ? stackDir(ordinaryDemoDir()) : stackDir();
}

function ordinaryDemoDir(): string {
  return join(dirname(stackDir()), 'demo');
}

/**
 * Why the demo must not work in the folder, or null. It writes, and removes all that an earlier demo has left: only
 * servers that a demo has started may be touched.
 */
export function objection(dir: string): string | null {
  const given = serviceNames.filter((name) => givenAddress(name) !== undefined);
  if (given.length > 0) {
    const variables = given.map((name) => `FERRY_STACK_${name.toUpperCase()}`).join(', ');
    return `The demo works on servers of its own only; unset ${variables}.`;
  }
  const isOther = dir !== stackDir(ordinaryDemoDir()) && readState(dir) !== undefined;
  if (isOther && !existsSync(markerIn(dir))) {
    return (
      `The stack in ${dir} was not made by the demo, which would remove it; ` +
      'set FERRY_STACK_DIR to another folder, or remove that stack with `ferry stack down --purge`.'
    );
  }
  return null;
}

/**
 * Brings up all servers from nothing.
 *
 * @throws AggregateError with one Error for each server that failed
 */
export async function bringUp(dir: string, onProgress: (progress: Progress) => void): Promise<Stack> {
  await removeServers(dir);
  try {
    return await up({ dir, onProgress });
  } finally {
    if (readState(dir) !== undefined) mark(dir);
  }
}

/** Ends all servers and removes their data. */
export async function removeServers(dir: string): Promise<void> {
  if (readState(dir) !== undefined) await down({ dir, purge: true });
}

/** Among the logs, which go with the stack. */
function markerIn(dir: string): string {
  return join(dir, 'logs', 'demo.txt');
}

function mark(dir: string): void {
  mkdirSync(dirname(markerIn(dir)), { recursive: true });
  writeFileSync(
    markerIn(dir),
    'This stack was made by `npm run demo`, which removes it when it runs again.\n',
  );
}

/** Temporal's own user interface. */
export function workflowsUrl(stack: Stack): string {
  const { uiUrl, namespace } = stack.state().services.temporal?.connection ?? {};
  return `${uiUrl}/namespaces/${namespace}/workflows`;
}

/** How to go on with servers that are left up. */
export function keepingHint(stack: Stack): string {
  return [
    `Temporal's UI: ${workflowsUrl(stack)}`,
    'The servers run on; the worker is stopped. To go on, in this folder:',
    '',
    `  export FERRY_STACK_DIR=${stack.dir}`,
    '  npx ferry worker --stack          starts a worker; leave it running',
    '  npx ferry start --stack           migrates what has changed, in another terminal',
    '  npx ferry stack env               addresses and passwords of the servers',
    '  npx ferry stack down --purge      ends the servers and removes their data; so does the next `npm run demo`',
  ].join('\n');
}
