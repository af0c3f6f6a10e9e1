/** What every vector of a collection is made with. */
export interface EmbeddingModel {
  readonly model: string;
  /** Length of a dense vector. */
  readonly dimensions: number;
}

/**
 * A dense vector as it is kept in memory: 4 bytes a number, which is all that services give and Qdrant keeps, where an
 * array takes 8. JSON has to be made of an ordinary array of its numbers.
 */
export type Vector = Float32Array;

/** Vectors in the order of the texts. */
export interface Embeddings {
  /** One unit vector a text, each `dimensions` long. */
  readonly vectors: readonly Vector[];
  /** Tokens that the service says it counted. */
  readonly tokens: number;
}

/** The rate that one process may take; null where neither a setting nor the service's headers say it (yet). */
export interface Pace {
  readonly requestsPerMinute: number | null;
  readonly tokensPerMinute: number | null;
}

/** Turns texts into dense vectors. One call is at most one paid request; it is never repeated in here. */
export interface Embedder {
  /**
   * Splits texts into requests that the service accepts (by inputs, by bytes as it counts tokens).
   *
   * @returns indexes into `texts`, one list a request, together every index once, ascending
   */
  pack(texts: readonly string[]): number[][];
  /**
   * Embeds the texts of one request; waits first for the rate budget that all calls of this process share.
   *
   * @param options.signal aborts at once, also a request on its way
   * @param options.stop ends the wait for the budget; a request on its way is paid, so it is completed
   * @param options.onWait told what is waited for before a wait for the budget, and null after it
   * @param options.beforePaying called when the budget allows the request; it is not sent if this throws
   * @throws Fault `embedding_refused` (kind record) if the service takes none of the texts as they stand together,
   *   transient and halting faults otherwise
   */
  embed(
    model: EmbeddingModel,
    texts: readonly string[],
    options: {
      signal: AbortSignal;
      stop?: AbortSignal;
      onWait?: (reason: string | null) => void;
      beforePaying?: () => Promise<void>;
    },
  ): Promise<Embeddings>;
  /** What the limiter knows now: settings, corrected by the headers of the answers so far. */
  pace(): Pace;
}
