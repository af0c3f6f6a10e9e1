import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationResult } from '../../src/job/job.ts';
import type { Lab } from '../support/lab.ts';

/** What was done to a run, and what may be paid again for it. */
export interface Course {
  /** Figures for the summary, e.g. `{kills: 20}`. */
  readonly figures: Readonly<Record<string, number>>;
  /** Inputs that were in hand when something happened to those who held them. */
  readonly inHand: number;
  /** Sentences on what went wrong on the way. */
  readonly findings: readonly string[];
}

/** A long run of one job, with something that happens to it. */
export interface Scenario {
  readonly rows: number;
  /** Of the product. */
  readonly settings: Readonly<Record<string, string>>;
  /** Time that the embedding service takes for a request. */
  readonly latencyMs: number;
  /** Does it, while the job runs, and returns when no more will happen; the job may still be open then. */
  readonly play: (lab: Lab, run: OpenRun) => Promise<Course>;
}

/** A job that was started. */
export interface OpenRun {
  readonly isOpen: () => boolean;
  readonly completedBatches: () => Promise<number>;
}

/**
 * Starts the job and follows it to its end, whatever happens to Temporal meanwhile.
 *
 * @param signal ends the following; a call that is left open would outlive its connection
 */
export async function startRun(
  lab: Lab,
  signal: AbortSignal,
): Promise<OpenRun & { readonly end: Promise<MigrationResult> }> {
  const started = await lab.ferry('start', '--detach', '--no-preflight');
  if (started.code !== 0) throw new Error(`ferry start ended with ${started.code}: ${started.stderr}`);
  let isOpen = true;
  let completed = 0;
  const end = follow(lab, signal).finally(() => (isOpen = false));
  // Whoever waits for it sees the error; until then it must not end the process.
  end.catch(() => undefined);
  return {
    end,
    isOpen: () => isOpen,
    completedBatches: async () => {
      const snapshot = await lab.snapshot().catch(() => undefined);
      return (completed = snapshot?.totals?.completedBatches ?? completed);
    },
  };
}

/** @throws Error when the job does not end within half an hour; the reason of the signal */
async function follow(lab: Lab, signal: AbortSignal): Promise<MigrationResult> {
  for (const deadline = Date.now() + 1_800_000; ; await sleep(500)) {
    try {
      // A poll that is left open while the server is gone would hang.
      const poll = AbortSignal.any([signal, AbortSignal.timeout(10_000)]);
      return await lab.client.withAbortSignal(poll, () => lab.result());
    } catch (error) {
      signal.throwIfAborted();
      if (Date.now() > deadline) throw new Error('the job did not end within half an hour', { cause: error });
    }
  }
}
