import type { Embedder, EmbeddingModel } from '../embedding/embedder.ts';
import { Fault, type FaultCode } from '../errors.ts';
import { persist, type Attempt } from './patience.ts';

/** A text that every service takes; asked once when a request is refused. */
const PROBE = 'probe';

/**
 * Embeds the texts of a batch. Texts that the service refuses are found by bisection; one probe a batch shows first
 * whether it takes anything at all.
 */
export class BatchEmbedding {
  readonly #embedder: Embedder;
  readonly #model: EmbeddingModel;
  readonly #attempt: Attempt;
  #probed = false;
  #inputs = 0;
  #tokens = 0;

  constructor(embedder: Embedder, model: EmbeddingModel, attempt: Attempt) {
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
    vectors: Map<string, readonly number[]>,
    refused: Map<string, FaultCode>,
  ): Promise<void> {
    try {
      const answer = await this.#call(texts);
      answer.forEach((vector, index) => vectors.set(texts[index] as string, vector));
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== 'record') throw error;
      await this.#probe();
      if (texts.length === 1) {
        refused.set(texts[0] as string, error.code);
        return;
      }
      const middle = Math.ceil(texts.length / 2);
      await this.embed(texts.slice(0, middle), vectors, refused);
      await this.embed(texts.slice(middle), vectors, refused);
    }
  }

  async #call(texts: readonly string[]): Promise<readonly (readonly number[])[]> {
    const attempt = this.#attempt;
    const { vectors, tokens } = await persist(attempt, () =>
      this.#embedder.embed(this.#model, texts, {
        signal: attempt.signal,
        stop: attempt.stop,
        onWait: (reason) => attempt.waiting(reason),
      }),
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
