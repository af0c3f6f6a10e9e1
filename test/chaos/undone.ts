import { setTimeout as sleep } from 'node:timers/promises';

/** The server may be away for another reason; then it forgets by itself, or is asked again. */
export async function undone(undo: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await undo();
    } catch {
      await sleep(300);
    }
  }
}
