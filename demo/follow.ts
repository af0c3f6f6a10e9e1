import { setTimeout as sleep } from 'node:timers/promises';
import { Pace } from '../src/cli/eta.ts';
import { LiveLine } from '../src/cli/live-line.ts';
import { progressLine } from '../src/cli/progress-line.ts';
import { snapshotMigration, type Snapshot } from '../src/client/snapshot.ts';
import { tell } from './output.ts';
import type { Place } from './place.ts';

const INTERVAL_MS = 500;
/** Without a terminal. */
const PLAIN_INTERVAL_MS = 4_000;
const TIMEOUT_MS = 10 * 60_000;

/** Told every moment of a job; the job goes on while it takes its time. It prints through `announce`. */
export type OnProgress = (snapshot: Snapshot, announce: (text: string) => void) => Promise<void>;

/**
 * Shows a job's progress until it ends: on a terminal with a live line, else with a line now and then.
 *
 * @throws Error when the job pauses by itself or does not end
 */
export async function follow(
  { client }: Place,
  name: string,
  signal: AbortSignal,
  onProgress: OnProgress = async () => undefined,
): Promise<Snapshot> {
  const live = new LiveLine();
  const pace = new Pace();
  const announce = (text: string): void => {
    live.end();
    tell(text);
  };
  let printedAt = Date.now();
  for (const deadline = Date.now() + TIMEOUT_MS; Date.now() < deadline;) {
    const snapshot = await snapshotMigration(client, name);
    signal.throwIfAborted();
    if (snapshot.totals !== null) pace.add(Date.now(), snapshot.totals.records);
    if (!snapshot.isOpen) {
      live.clear();
      tell(progressLine(snapshot, pace));
      return snapshot;
    }
    if (snapshot.status === 'paused') {
      live.end();
      throw new Error(progressLine(snapshot, pace));
    }
    if (live.isLive) live.show(`   ${progressLine(snapshot, pace, live.columns - 3)}`);
    else if (Date.now() - printedAt >= PLAIN_INTERVAL_MS) {
      printedAt = Date.now();
      tell(progressLine(snapshot, pace));
    }
    await onProgress(snapshot, announce);
    await sleep(INTERVAL_MS, undefined, { signal });
  }
  live.end();
  throw new Error(`The migration did not end within ${TIMEOUT_MS / 60_000} minutes.`);
}
