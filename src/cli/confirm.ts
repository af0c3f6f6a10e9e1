import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';

/** Whether somebody is there who could answer. */
export function canAsk(): boolean {
  return process.stdin.isTTY && process.stderr.isTTY;
}

/** Asks on the terminal; anything but yes is no, also the end of the input and the signal. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  // Without readline's own terminal handling Ctrl-C stays a signal.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  try {
    const closed = once(lines, 'close', { signal }).then(() => '');
    const answer = await Promise.race([lines.question(question, { signal }), closed]);
    return /^\s*y(?:es)?\s*$/i.test(answer);
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  } finally {
    lines.close();
  }
}
