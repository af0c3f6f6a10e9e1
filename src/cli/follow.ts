import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError, type Client } from '@temporalio/client';
import { snapshotMigration, type Snapshot } from '../client/snapshot.ts';
import { Pace } from './eta.ts';
import { LiveLine } from './live-line.ts';
import { progressLine, summary } from './render.ts';

const INTERVAL_MS = 1_000;
/** Without a terminal a line every so often is enough. */
const PLAIN_INTERVAL_MS = 10_000;

/**
 * Follows a job to its end, on a terminal with a live line, else with a line now and then. Ctrl-C detaches: the job
 * goes on.
 *
 * @returns exit code: 0 completed without failed records (or detached), 1 failed records or batches, 3 cancelled
 */
export async function follow(client: Client, name: string, options: { json?: boolean }): Promise<number> {
  const detach = new AbortController();
  const onInterrupt = (): void => detach.abort();
  process.once('SIGINT', onInterrupt);
  const live = new LiveLine(options.json !== true);
  const pace = new Pace();
  let printedAt = 0;
  const say = (line: string): void => {
    if (live.isLive) live.show(line);
    else if (Date.now() - printedAt >= PLAIN_INTERVAL_MS) {
      printedAt = Date.now();
      console.log(line);
    }
  };
  try {
    while (!detach.signal.aborted) {
      const snapshot = await orNoAnswer(() => snapshotMigration(client, name));
      if (snapshot !== null) {
        if (snapshot.totals !== null) pace.add(Date.now(), snapshot.totals.records);
        // What is still open may only wait for the ledger.
        if (!snapshot.isOpen || snapshot.phase === 'ended') {
          live.clear();
          console.log(options.json === true ? JSON.stringify(snapshot) : summary(snapshot));
          return exitCode(snapshot);
        }
        say(options.json === true ? JSON.stringify(snapshot) : progressLine(snapshot, pace));
      } else if (options.json !== true) say('Temporal does not answer; the job goes on when it is back');
      await sleep(INTERVAL_MS, undefined, { signal: detach.signal }).catch(() => undefined);
    }
    live.end();
    console.error(
      `Detached; ${name} goes on. \`ferry watch ${name}\` follows it, \`ferry cancel ${name}\` ends it.`,
    );
    return 0;
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}

/** A restart of Temporal says nothing about the job: null instead of an error. */
async function orNoAnswer<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ServiceError) return null;
    throw error;
  }
}

/** Exit code of a job that has ended. */
export function exitCode({ status, totals }: Snapshot): number {
  if (status === 'cancelled' || status === 'terminated') return 3;
  return status === 'completed' && totals?.failed === 0 ? 0 : 1;
}
