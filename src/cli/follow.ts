import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError, type Client } from '@temporalio/client';
import { snapshotMigration, type Snapshot } from '../client/snapshot.ts';
import { Pace } from './eta.ts';
import { LiveLine } from './live-line.ts';
import { pauseLines, progressLine, summary } from './render.ts';

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
  try {
    const snapshot = await followUntil(client, name, { ...options, signal: detach.signal });
    if (snapshot !== null) return exitCode(snapshot);
    console.error(
      `Detached; ${name} goes on. \`ferry watch ${name}\` follows it, \`ferry cancel ${name}\` ends it.`,
    );
    return 0;
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}

/** How {@link followUntil} follows. */
export interface FollowOptions {
  readonly json?: boolean | undefined;
  /** Ends it before the job has ended. */
  readonly signal: AbortSignal;
  /** Also returns when the job has paused because of a fault. @default false */
  readonly untilHalt?: boolean;
}

/**
 * Follows a job as {@link follow} does and prints its summary in the end. Why a job is paused is said once, in full:
 * on a terminal a short line stays, without one nothing more is printed until the job goes on.
 *
 * @returns the job as it ended or halted; null if the signal came first
 */
export async function followUntil(
  client: Client,
  name: string,
  { json = false, signal, untilHalt = false }: FollowOptions,
): Promise<Snapshot | null> {
  const live = new LiveLine(!json);
  const pace = new Pace();
  let printedAt = 0;
  const say = (line: string): void => {
    if (live.isLive) live.show(line);
    else if (Date.now() - printedAt >= PLAIN_INTERVAL_MS) {
      printedAt = Date.now();
      console.log(line);
    }
  };
  let pauseSaid: string | null = null;
  while (!signal.aborted) {
    const snapshot = await orNoAnswer(() =>
      cancelledBy(signal, client, () => snapshotMigration(client, name)),
    );
    if (signal.aborted) break;
    if (snapshot !== null) {
      if (snapshot.totals !== null) pace.add(Date.now(), snapshot.totals.records);
      // What is still open may only wait for the ledger.
      if (!snapshot.isOpen || snapshot.phase === 'ended' || (untilHalt && isHalted(snapshot))) {
        live.clear();
        console.log(json ? JSON.stringify(snapshot) : summary(snapshot));
        return snapshot;
      }
      const paused = snapshot.status === 'paused' ? pauseLines(snapshot).join('\n  to go on: ') : null;
      // A change is shown at once.
      if (paused !== pauseSaid) printedAt = 0;
      if (json) say(JSON.stringify(snapshot));
      else if (paused === null) say(progressLine(snapshot, pace));
      else {
        if (paused !== pauseSaid) {
          live.clear();
          console.log(`${name} is paused: ${paused}`);
        }
        live.show(`paused: ${snapshot.pauseReason ?? 'requested'} · Ctrl-C detaches`);
      }
      pauseSaid = paused;
    } else if (!json) say('Temporal does not answer; the job goes on when it is back');
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
  live.end();
  return null;
}

/** Paused by a fault that only a person can mend, not by a person. */
export function isHalted({ status, pauseReason }: Snapshot): boolean {
  return status === 'paused' && pauseReason !== null && pauseReason !== 'requested';
}

/**
 * Ctrl-C does not wait for answers: calls on their way are cancelled. None is left behind, since the SDK would repeat it
 * on a connection that is closed by then.
 */
async function cancelledBy<T>(signal: AbortSignal, client: Client, ask: () => Promise<T>): Promise<T> {
  // The SDK never removes its listeners, so each round has a signal of its own.
  const round = new AbortController();
  const onAbort = (): void => round.abort();
  signal.addEventListener('abort', onAbort);
  try {
    return await client.withAbortSignal(round.signal, ask);
  } finally {
    signal.removeEventListener('abort', onAbort);
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
