import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError, type Client } from '@temporalio/client';
import { cancellable } from '../client/cancellable.ts';
import { snapshotMigration, type Snapshot } from '../client/snapshot.ts';
import { Pace } from './eta.ts';
import { jobArgument } from './job-argument.ts';
import type { LedgerPatience } from './ledger-patience.ts';
import { LiveLine } from './live-line.ts';
import { progressLine } from './progress-line.ts';
import { pauseLines, summary } from './render.ts';

const INTERVAL_MS = 1_000;
/** Of one look at the job; workers answer within three seconds each time they are asked. */
const LOOK_MS = 20_000;
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
      `Detached; ${name} goes on. \`ferry watch ${jobArgument(name)}\` follows it, \`ferry cancel ${jobArgument(name)}\` ends it.`,
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
  /** Waits for the ledger's last reports too, but no longer than this. @default does not wait for them */
  readonly ledgerPatience?: LedgerPatience;
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
  { json = false, signal, untilHalt = false, ledgerPatience }: FollowOptions,
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
      cancellable(client, signal, LOOK_MS, () => snapshotMigration(client, name)),
    );
    if (signal.aborted) break;
    if (snapshot !== null) {
      if (snapshot.totals !== null) pace.add(Date.now(), snapshot.totals.records);
      // What is still open may only wait for the ledger.
      const isEnough = ledgerPatience?.isOverAt(Date.now(), snapshot) ?? snapshot.phase === 'ended';
      if (!snapshot.isOpen || isEnough || (untilHalt && isHalted(snapshot))) {
        live.clear();
        console.log(json ? JSON.stringify(snapshot) : summary(snapshot));
        return snapshot;
      }
      const paused =
        snapshot.status === 'paused' && !snapshot.isCancelRequested
          ? pauseLines(snapshot).join('\n  to go on: ')
          : null;
      // A change is shown at once.
      if (paused !== pauseSaid) printedAt = 0;
      if (json) say(JSON.stringify(snapshot));
      else if (paused === null) say(progressLine(snapshot, pace, live.columns));
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

/** A restart of Temporal says nothing about the job: null instead of an error. */
async function orNoAnswer<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ServiceError) return null;
    throw error;
  }
}

/** Exit code of a job that has ended, or that is open for its ledger alone. */
export function exitCode({ status, totals, isOpen }: Snapshot): number {
  if (status === 'cancelled' || status === 'terminated') return 3;
  const isSettled = status === 'completed' || (isOpen && (status === 'running' || status === 'paused'));
  const lost = totals === null ? 1 : totals.failed + totals.failedBatches + totals.cancelledBatches;
  return isSettled && lost === 0 ? 0 : 1;
}
