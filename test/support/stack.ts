import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceName } from '../../src/stack/service.ts';
import { down, openStack, up, type Stack } from '../../src/stack/stack.ts';

/**
 * The stack that `npm test` brought up for all tests. It is shared: use a namespace, database and collection of your
 * own, and never stop its services (ownStack is for that).
 *
 * @throws Error when the tests were not started by `npm test`
 */
export function testStack(): Stack {
  const dir = process.env['FERRY_TEST_STACK'];
  if (dir === undefined) {
    throw new Error(
      'this test needs a running stack: start it with `npm test -- <file>`, which brings one up',
    );
  }
  return openStack(dir);
}

/** A stack of one test. */
export interface OwnStack extends Stack {
  /** Ends it and removes its folder; can be called twice. */
  close(): Promise<void>;
}

/**
 * Brings up a private stack, for tests that stop or kill services.
 *
 * @param services what the test needs; everything by default
 * @throws AggregateError when a service does not start; nothing is left running then
 */
export async function ownStack(services?: readonly ServiceName[]): Promise<OwnStack> {
  const dir = mkdtempSync(join(tmpdir(), 'ferry-own-stack-'));
  const close = () => down({ dir, purge: true });
  try {
    return { ...(await up({ dir, services })), close };
  } catch (error) {
    await close();
    throw error;
  }
}
