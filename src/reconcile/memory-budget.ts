/** Bytes that were taken from a {@link MemoryBudget}; they are given back at the latest when their signal is aborted. */
export interface MemoryLease {
  /** Gives them back; a second call does nothing. */
  release(): void;
}

interface Waiting {
  readonly bytes: number;
  readonly grant: () => void;
}

/**
 * The bytes that all batches of a process may have in hand for large rows. Strictly first come, first served, so that
 * many small requests do not starve a large one. One above the whole budget passes when nobody else holds anything.
 *
 * There is no deadlock: whoever waits here holds no lease (one is taken for a page of a range, and given back before the
 * next page), no connection and no place in the embedding service's budget, so whoever holds a lease gets all that it
 * needs to come to its end, and then gives it back. One whose calls hang loses it with its signal.
 */
export class MemoryBudget {
  readonly #limit: number;
  readonly #queue: Waiting[] = [];
  #taken = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes in hand. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Waits for its turn and for the bytes.
   *
   * @param signal ends the wait, and the lease too: who was given up because a call of his hangs never releases it
   * @param onWait told `memory_budget` before a wait, and null after it
   * @throws the reason of the signal
   */
  async acquire(
    bytes: number,
    { signal, onWait }: { signal: AbortSignal; onWait: (reason: string | null) => void },
  ): Promise<MemoryLease> {
    signal.throwIfAborted();
    if (this.#queue.length > 0 || !this.#fits(bytes)) await this.#wait(bytes, signal, onWait);
    else this.#taken += bytes;
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      signal.removeEventListener('abort', release);
      this.#taken -= bytes;
      this.#pump();
    };
    signal.addEventListener('abort', release, { once: true });
    if (signal.aborted) release();
    return { release };
  }

  async #wait(bytes: number, signal: AbortSignal, onWait: (reason: string | null) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { bytes, grant: resolve };
    const abort = (): void => {
      const at = this.#queue.indexOf(waiting);
      // Granted already: the holder finds out about the signal by itself, and releases.
      if (at < 0) return;
      this.#queue.splice(at, 1);
      reject(signal.reason as Error);
      // It may have been the one that all others waited behind.
      this.#pump();
    };
    this.#queue.push(waiting);
    signal.addEventListener('abort', abort, { once: true });
    onWait('memory_budget');
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', abort);
      onWait(null);
    }
  }

  #fits(bytes: number): boolean {
    return this.#taken === 0 || this.#taken + bytes <= this.#limit;
  }

  #pump(): void {
    for (let first = this.#queue[0]; first !== undefined && this.#fits(first.bytes); first = this.#queue[0]) {
      this.#queue.shift();
      this.#taken += first.bytes;
      first.grant();
    }
  }
}
