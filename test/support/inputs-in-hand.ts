import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab.ts';

/**
 * Inputs that workers have been paid for and that are not in the target: what may be paid again if they are lost now.
 *
 * @param pids of the workers; they may have ended
 * @param answerMs how long a request on its way may still take to be paid, although nobody waits for it any more
 */
export async function inputsInHand(lab: Lab, pids: readonly number[], answerMs: number): Promise<number> {
  // First what is written: what they write meanwhile is counted as in hand, never the other way round.
  const written = await lab.qdrant.childTexts();
  await sleep(answerMs);
  let sum = 0;
  for (const pid of pids) {
    for (const [text, count] of await lab.embeddings.texts(`(${pid}@`)) if (!written.has(text)) sum += count;
  }
  return sum;
}
