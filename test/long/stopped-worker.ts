import { setTimeout as sleep } from 'node:timers/promises';
import { inputsInHand } from '../support/inputs-in-hand.ts';
import { until } from '../support/lab.ts';
import { holderOfBatch } from '../support/holder.ts';
import type { Scenario } from './scenario.ts';

const LATENCY_MS = 2_000;
const STOPPED_MS = 120_000;
/** Long enough for a zombie to end everything that it began before it was stopped. */
const AFTER_MS = 20_000;

/** A worker is stopped for two minutes while it holds batches, another one goes on, and then it goes on too. */
export const stoppedWorker: Scenario = {
  rows: 5_000,
  settings: { BATCH_SIZE: '20', MAX_WORKERS: '4' },
  latencyMs: LATENCY_MS,
  play: async (lab, run) => {
    const [zombie] = await Promise.all([lab.worker(), lab.worker()]);
    await until('five batches have ended', 120_000, async () => (await run.completedBatches()) >= 5);
    await until('it holds a batch', 60_000, async () => (await holderOfBatch(lab)) === zombie.pid);
    process.kill(zombie.pid, 'SIGSTOP');
    const begin = Date.now();
    try {
      const held = await inputsInHand(lab, [zombie.pid], LATENCY_MS + 500);
      const before = await run.completedBatches();
      await sleep(begin + STOPPED_MS - Date.now());
      const meanwhile = (await run.completedBatches()) - before;
      const findings = meanwhile > 0 ? [] : ['no batch ended while the worker was stopped'];
      if (!run.isOpen()) findings.push('the job ended while the worker was stopped');
      const marked = await lab.embeddings.texts(`(${zombie.pid}@`);
      process.kill(zombie.pid, 'SIGCONT');
      await sleep(AFTER_MS);
      const after = await lab.embeddings.texts(`(${zombie.pid}@`);
      const texts = [...after.keys()].filter((text) => !marked.has(text)).length;
      return {
        figures: { batchesMeanwhile: meanwhile, textsOfZombieAfterwards: texts },
        inHand: held,
        findings,
      };
    } finally {
      // Stopped, it would not see the signal that ends it.
      process.kill(zombie.pid, 'SIGCONT');
    }
  },
};
