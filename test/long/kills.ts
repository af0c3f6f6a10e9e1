import { setTimeout as sleep } from 'node:timers/promises';
import { inputsInHand } from '../support/inputs-in-hand.ts';
import type { WorkerProcess } from '../support/lab.ts';
import { holderOfBatch } from '../support/holder.ts';
import type { Scenario } from './scenario.ts';

const LATENCY_MS = 2_500;
const KILL_EVERY_MS = 10_000;
const FEWEST_KILLS = 8;

/** A worker that holds a batch is killed every 10 s, to the end. */
export const kills: Scenario = {
  rows: 5_000,
  settings: { BATCH_SIZE: '20', MAX_WORKERS: '5' },
  latencyMs: LATENCY_MS,
  play: async (lab, run) => {
    const workers = new Map<number, WorkerProcess>();
    const hire = async (): Promise<void> => {
      const worker = await lab.worker();
      workers.set(worker.pid, worker);
    };
    await Promise.all([hire(), hire()]);
    let done = 0;
    let held = 0;
    for (let next = Date.now() + KILL_EVERY_MS; run.isOpen(); next += KILL_EVERY_MS) {
      while (run.isOpen() && Date.now() < next) await sleep(100);
      const victim = workers.get((await holderOfBatch(lab).catch(() => undefined)) ?? 0);
      if (victim === undefined || !run.isOpen()) continue;
      workers.delete(victim.pid);
      await victim.kill();
      done++;
      const replacement = hire();
      held += await inputsInHand(lab, [victim.pid], LATENCY_MS + 500);
      await replacement;
    }
    const findings = done < FEWEST_KILLS ? [`${done} kills are too few to prove anything`] : [];
    return { figures: { kills: done }, inHand: held, findings };
  },
};
