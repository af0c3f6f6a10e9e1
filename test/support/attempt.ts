import type { Attempt } from '../../src/reconcile/patience.ts';

/** An attempt that nobody ends and nobody watches. */
export function quietAttempt(changes: Partial<Attempt> = {}): Attempt {
  return {
    signal: new AbortController().signal,
    stop: new AbortController().signal,
    patienceMs: 1_000,
    progressed: () => undefined,
    waiting: () => undefined,
    ...changes,
  };
}
