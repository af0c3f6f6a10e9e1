import type { Client } from '@temporalio/client';

/**
 * Makes calls that a signal cancels. Whoever closes the connection waits for the result first: a call that is left
 * behind would be repeated by the SDK on a connection that is closed by then, with nobody to catch the error.
 *
 * @param timeoutMs for all of the calls; one that the SDK is about to repeat hears of no signal, only of this
 * @throws ServiceError when cancelled or too late
 */
export async function cancellable<T>(
  client: Client,
  signal: AbortSignal,
  timeoutMs: number,
  calls: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  // The SDK never removes its listeners, so each of these has a signal of its own.
  const own = new AbortController();
  const onAbort = (): void => own.abort();
  signal.addEventListener('abort', onAbort);
  try {
    return await client.withDeadline(Date.now() + timeoutMs, () => client.withAbortSignal(own.signal, calls));
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
