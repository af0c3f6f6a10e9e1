import type { Embedder, EmbeddingModel, Vector } from '../embedding/embedder.ts';
import { Fault, type FaultCode } from '../errors.ts';
import { persist, type WritingAttempt } from './patience.ts';

/** A text that every service takes; asked once when a request is refused. */
const PROBE = 'probe';

/**
 * Embeds the texts of a batch. Texts that the service refuses are found by bisection; one probe a batch shows first
 * whether it takes anything at all.
 */
export class BatchEmbedding {
  readonly #embedder: Embedder;
  readonly #model: EmbeddingModel;
  readonly #attempt: WritingAttempt;
  #probed = false;
  #refusesBySize = false;
  #inputs = 0;
  #tokens = 0;

  constructor(embedder: Embedder, model: EmbeddingModel, attempt: WritingAttempt) {
    this.#embedder = embedder;
    this.#model = model;
    this.#attempt = attempt;
  }

  /** Texts embedded so far, each a paid input. */
  get inputs(): number {
    return this.#inputs;
  }

  get tokens(): number {
    return this.#tokens;
  }

  /**
   * @param texts distinct texts
   * @returns texts packed into requests, to be passed to {@link embed} one by one
   */
  requests(texts: readonly string[]): string[][] {
    return this.#embedder.pack(texts).map((indexes) => indexes.map((index) => texts[index] as string));
  }

  /**
   * Embeds one request.
   *
   * @param vectors receives the vector of each text that the service takes
   * @param refused receives the fault of each text that it does not take
   * @throws Fault of kind halting, `embedding_refuses_everything` among them
   */
  async embed(
    texts: readonly string[],
    vectors: Map<string, Vector>,
    refused: Map<string, FaultCode>,
  ): Promise<void> {
    const before = refused.size;
    const isTaken = await this.#take(texts, vectors, refused);
    // Refused as a whole and taken in parts: this service counts something, and one half says nothing about the other.
    if (!isTaken && refused.size === before) this.#refusesBySize = true;
  }

  /** @returns whether the service took the request as it is; if not, it was divided */
  async #take(
    texts: readonly string[],
    vectors: Map<string, Vector>,
    refused: Map<string, FaultCode>,
  ): Promise<boolean> {
    try {
      const answer = await this.#call(texts);
      answer.forEach((vector, index) => vectors.set(texts[index] as string, vector));
      return true;
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== 'record') throw error;
      await this.#probe();
      if (texts.length === 1) refused.set(texts[0] as string, error.code);
      else await this.#divide(texts, vectors, refused);
      return false;
    }
  }

  /**
   * Embeds a request that was refused. If its first half is taken, the second holds what was refused and is divided
   * without being sent. With the smaller half first, n refused texts of m so cost at most 2·n·log2(m) requests beyond.
   * A single text is always sent: only the service's own word makes it a failure.
   */
  async #divide(
    texts: readonly string[],
    vectors: Map<string, Vector>,
    refused: Map<string, FaultCode>,
  ): Promise<void> {
    const middle = Math.floor(texts.length / 2);
    const rest = texts.slice(middle);
    const isTaken = await this.#take(texts.slice(0, middle), vectors, refused);
    if (isTaken && rest.length > 1 && !this.#refusesBySize) await this.#divide(rest, vectors, refused);
    else await this.#take(rest, vectors, refused);
  }

  async #call(texts: readonly string[]): Promise<readonly Vector[]> {
    const attempt = this.#attempt;
    const { vectors, tokens } = await persist(attempt, () =>
      attempt.awaiting(() =>
        this.#embedder.embed(this.#model, texts, {
          signal: attempt.signal,
          stop: attempt.stop,
          onWait: (reason) => attempt.waiting(reason),
          beforePaying: () => attempt.fence(),
        }),
      ),
    );
    this.#inputs += texts.length;
    this.#tokens += tokens;
    return vectors;
  }

  async #probe(): Promise<void> {
    if (this.#probed) return;
    try {
      await this.#call([PROBE]);
    } catch (error) {
      if (error instanceof Fault && error.kind === 'record') {
        throw new Fault('embedding_refuses_everything', undefined, { cause: error });
      }
      throw error;
    }
    this.#probed = true;
  }
}
