import { setTimeout as sleep } from 'node:timers/promises';
import { inputsInHand } from '../support/inputs-in-hand.ts';
import type { Lab } from '../support/lab.ts';
import type { Course, OpenRun, Scenario } from './scenario.ts';

const KILLS = 20;
const WORKERS = 2;
const LATENCY_MS = 2_000;
/** How long the server is away, and how long it is there between two kills. */
const AWAY_MS = 3_000;
const THERE_MS = 6_000;

/** Temporal is killed and started again 20 times while batches are in hand. */
export const temporalRestarts: Scenario = {
  rows: 6_000,
  settings: { BATCH_SIZE: '20', MAX_WORKERS: '4' },
  latencyMs: LATENCY_MS,
  play: async (lab, run) => {
    const workers = await Promise.all(Array.from({ length: WORKERS }, () => lab.worker()));
    return restart(
      lab,
      run,
      workers.map(({ pid }) => pid),
    );
  },
};

async function restart(lab: Lab, run: OpenRun, pids: readonly number[]): Promise<Course> {
  let held = 0;
  let done = 0;
  let idle = 0;
  while (done < KILLS && run.isOpen()) {
    await sleep(THERE_MS);
    const snapshot = await lab.snapshot().catch(() => undefined);
    if (snapshot === undefined || !run.isOpen()) continue;
    if (snapshot.batchesInHand.length === 0) {
      idle++;
      continue;
    }
    await lab.stack.kill('temporal');
    done++;
    await sleep(AWAY_MS);
    // Attempts that the server gives up begin anew, beside those that still run.
    held += await inputsInHand(lab, pids, LATENCY_MS + 500);
    await lab.stack.start('temporal');
  }
  const findings = done < KILLS ? [`the job ended after ${done} kills, before ${KILLS}`] : [];
  return { figures: { kills: done, idle }, inHand: held, findings };
}
