import type { WritingAttempt } from '../../src/reconcile/patience.ts';

/** An attempt that nobody ends and nobody watches. */
export function quietAttempt(changes: Partial<WritingAttempt> = {}): WritingAttempt {
  return {
    signal: new AbortController().signal,
    stop: new AbortController().signal,
    patienceMs: 1_000,
    progressed: () => undefined,
    waiting: () => undefined,
    fence: () => Promise.resolve(),
    awaiting: (request) => request(),
    advanced: () => undefined,
    suspicion: null,
    ...changes,
  };
}
