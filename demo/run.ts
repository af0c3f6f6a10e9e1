/**
 * `npm run demo`: moves real text from MySQL into Qdrant on servers of its own, kills a worker halfway, and proves the
 * outcome.
 */
import pc from 'picocolors';
import { exitCode } from '../src/cli/follow.ts';
import { withLock } from '../src/stack/lock.ts';
import { messageOf } from '../src/stack/process.ts';
import type { Stack } from '../src/stack/stack.ts';
import { corpus } from './corpus.ts';
import { Interruption, killChildren } from './interruption.ts';
import { readOptions, USAGE, type DemoOptions } from './options.ts';
import { count, say, since, step, tell } from './output.ts';
import { openPlace } from './place.ts';
import { demoDir, keepingHint, objection, removeServers } from './servers.ts';
import { audit, loadRows, showLedger, migrateAgain, migrateWithKill, search, startServers } from './steps.ts';

/** Enough batches to see them pass by; the product's default for the others. */
const BATCHES = 60;

process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options === null) {
      say(USAGE);
      return 0;
    }
    const dir = demoDir();
    const problem = objection(dir);
    if (problem !== null) throw new RangeError(problem);
    const isBusy = (): never => {
      throw new RangeError(
        `Another demo runs in ${dir}; wait for its end, or set FERRY_STACK_DIR to another folder.`,
      );
    };
    return await withLock(`demo ${dir}`, isBusy, () => demo(dir, options));
  } catch (error) {
    console.error(messageOf(error));
    return error instanceof RangeError ? 2 : 1;
  }
}

/** @returns exit code */
async function demo(dir: string, { rows: rowCount, keep }: DemoOptions): Promise<number> {
  const begin = Date.now();
  const rows = corpus({ count: rowCount });
  const interruption = new Interruption(() => console.error('\nInterrupted: everything is taken down …'));
  const releases: (() => Promise<void>)[] = [];
  let stack: Stack | undefined;
  let failures = ['it broke off'];

  say(
    pc.bold(
      `Vector Ferry moves ${count(rowCount)} rows of text from MySQL into Qdrant, and loses its worker on the way.`,
    ),
  );
  say(`Its servers are the demo's own, on this machine, in ${dir}; nothing of yours is read or changed.`);
  try {
    await interruption.guard(async (signal) => {
      stack = await startServers(dir, signal);
      const place = await openPlace(stack, {
        WORKER_HEARTBEAT_INTERVAL: '2',
        BATCH_SIZE: String(Math.min(100, Math.ceil(rowCount / BATCHES))),
      });
      releases.push(() => place.close());
      await loadRows(place, rows);
      const run = await migrateWithKill(place, signal, (worker) => releases.push(() => worker.kill()));
      const isIdempotent = await migrateAgain(place, signal);
      const isExact = await audit(place, run);
      const isFound = await search(place, rows, signal);
      await showLedger(place, run);
      const proof = {
        'the migration did not complete': exitCode(run.snapshot) === 0,
        'running it again was not free': isIdempotent,
        'the audit has findings': isExact,
        'a search found nothing': isFound,
      };
      failures = Object.entries(proof).flatMap(([failure, holds]) => (holds ? [] : [failure]));
    });
  } catch (error) {
    if (interruption.exitCode === null) console.error(pc.red(`\nThe demo broke off: ${messageOf(error)}`));
  }
  for (const release of releases.reverse()) await release();
  if (keep && stack !== undefined && interruption.exitCode === null) {
    step('Leave everything up');
    tell(keepingHint(stack));
  } else {
    if (interruption.exitCode === null) step('Take everything down');
    await removeServers(dir);
    await killChildren();
    tell('Nothing is left running, and no data.');
  }
  if (interruption.exitCode !== null) return interruption.exitCode;
  say(
    failures.length === 0
      ? `\n${pc.green('PROVEN')} in ${since(begin)}: every row is in Qdrant, exact and once, although its worker was killed.`
      : `\n${pc.red('NOT PROVEN')} after ${since(begin)}: ${failures.join(', ')}.`,
  );
  return failures.length === 0 ? 0 : 1;
}
