import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Lets whoever waits for `up` end it in the middle: programs that it runs (installers, initdb) are killed, waits end, and
 * nothing new begins. The signal travels with the calls, so that no service has to hand it on.
 */
const signals = new AsyncLocalStorage<AbortSignal | undefined>();

/** Runs work that ends with an error soon after the signal is aborted. */
export function interruptible<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  return signals.run(signal, work);
}

/** Runs what has to be done even after an interruption, such as cleaning up. */
export function uninterrupted<T>(work: () => Promise<T>): Promise<T> {
  return signals.run(undefined, work);
}

/** The signal of the work in whose course this is called, if it can be interrupted. */
export function interruptionSignal(): AbortSignal | undefined {
  return signals.getStore();
}

/** @throws the signal's reason once the work has been interrupted */
export function throwIfInterrupted(): void {
  signals.getStore()?.throwIfAborted();
}

/** Waits; ends early, with the signal's reason as an error, when the work is interrupted. */
export async function pause(ms: number): Promise<void> {
  throwIfInterrupted();
  const signal = signals.getStore();
  await sleep(ms, undefined, signal && { signal }).catch(() => throwIfInterrupted());
}
