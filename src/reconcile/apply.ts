import type { Vector } from '../embedding/embedder.ts';
import type { FaultCode } from '../errors.ts';
import type { PointWrite, SeenPoint } from '../target/target.ts';
import { findChanges, textsOf } from './changes.ts';
import type { ComparedRecord } from './compare.ts';
import type { RecordChange } from './diff.ts';
import { BatchEmbedding } from './embed.ts';
import { persist, type WritingAttempt } from './patience.ts';
import type { ReconcileInput, ReconcileServices } from './reconcile.ts';

/** Points that one call writes or deletes; each call may be repeated and counts as progress. */
const POINTS_PER_CALL = 256;

/** Makes records exact: chunks them, embeds what is new, writes, and deletes what is stale. */
export class Apply {
  /** Records whose points were written. */
  readonly written = new Set<bigint>();
  readonly embedding: BatchEmbedding;
  readonly #input: ReconcileInput;
  readonly #services: ReconcileServices;
  readonly #attempt: WritingAttempt;
  readonly #reading: AbortSignal;
  readonly #fence = (): Promise<void> => this.#attempt.fence();
  #pointsWritten = 0;
  #pointsDeleted = 0;

  /** @param reading ends reads; writes and paid requests are completed */
  constructor(
    input: ReconcileInput,
    services: ReconcileServices,
    attempt: WritingAttempt,
    reading: AbortSignal,
  ) {
    this.#input = input;
    this.#services = services;
    this.#attempt = attempt;
    this.#reading = reading;
    this.embedding = new BatchEmbedding(services.embedder, input.model, attempt);
  }

  get pointsWritten(): number {
    return this.#pointsWritten;
  }

  get pointsDeleted(): number {
    return this.#pointsDeleted;
  }

  get pointsTouched(): number {
    return this.#pointsWritten + this.#pointsDeleted;
  }

  /**
   * @param changed records that are not exact
   * @returns the records that failed, and why; they keep the points they had
   */
  async records(changed: readonly ComparedRecord[]): Promise<ReadonlyMap<bigint, FaultCode>> {
    if (changed.length === 0) return new Map();
    const found = await findChanges(
      changed,
      this.#input,
      this.#services.target,
      this.#attempt,
      this.#reading,
    );
    const vectors = await this.#reuse(new Map(found.flatMap(({ reusable }) => [...reusable])));
    return this.#embedAndWrite(
      found.map(({ change }) => change),
      vectors,
    );
  }

  /** Vectors that the target has already, by text. */
  async #reuse(reusable: ReadonlyMap<string, string>): Promise<Map<string, Vector>> {
    if (reusable.size === 0) return new Map();
    const byId = await this.#persist(() =>
      this.#services.target.vectors(this.#input.owner.collection, [...reusable.values()], this.#reading),
    );
    return new Map(
      [...reusable].flatMap(([text, id]) => {
        const vector = byId.get(id);
        return vector === undefined ? [] : [[text, vector]];
      }),
    );
  }

  /** Embeds request by request and writes the points of a record as soon as all of its vectors are there. */
  async #embedAndWrite(
    changes: readonly RecordChange[],
    vectors: Map<string, Vector>,
  ): Promise<Map<bigint, FaultCode>> {
    const refused = new Map<string, FaultCode>();
    const failed = new Map<bigint, FaultCode>();
    let waiting = await this.#writeReady(changes, vectors, refused, failed);
    const missing = new Set(waiting.flatMap(textsOf).filter((text) => !vectors.has(text)));
    for (const request of this.embedding.requests([...missing])) {
      this.#attempt.stop.throwIfAborted();
      await this.embedding.embed(request, vectors, refused);
      waiting = await this.#writeReady(waiting, vectors, refused, failed);
    }
    return failed;
  }

  /** @returns the changes that still wait for a vector */
  async #writeReady(
    changes: readonly RecordChange[],
    vectors: ReadonlyMap<string, Vector>,
    refused: ReadonlyMap<string, FaultCode>,
    failed: Map<bigint, FaultCode>,
  ): Promise<RecordChange[]> {
    const ready: RecordChange[] = [];
    const waiting: RecordChange[] = [];
    for (const change of changes) {
      const texts = textsOf(change);
      const refusal = texts.map((text) => refused.get(text)).find((code) => code !== undefined);
      // A failed record keeps the points it had: outdated, and listed as such, but whole.
      if (refusal !== undefined) failed.set(change.recordId, refusal);
      else if (texts.every((text) => vectors.has(text))) ready.push(change);
      else waiting.push(change);
    }
    const writes = ready.flatMap(({ writes }) => writes.map((write) => completed(write, vectors)));
    const stale = ready.flatMap((change) => change.stale);
    const { owner, jobId, bm25 } = this.#input;
    const { target } = this.#services;
    const { signal } = this.#attempt;
    for (const some of inSlices(writes)) {
      await this.#persist(() => target.write(owner, jobId, bm25, some, signal, this.#fence));
      this.#pointsWritten += some.length;
    }
    // Only after the writes: a crash in between leaves points of another checksum, which the next diff finds.
    await this.deletePoints(stale);
    for (const { recordId } of ready) this.written.add(recordId);
    if (ready.length > 0) this.#attempt.advanced();
    return waiting;
  }

  async deletePoints(points: readonly SeenPoint[]): Promise<void> {
    const { collection } = this.#input.owner;
    const { signal } = this.#attempt;
    for (const some of inSlices(points)) {
      await this.#persist(() => this.#services.target.delete(collection, some, signal, this.#fence));
      this.#pointsDeleted += some.length;
    }
  }

  #persist<T>(call: () => Promise<T>): Promise<T> {
    return persist(this.#attempt, call);
  }
}

function inSlices<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / POINTS_PER_CALL) }, (_, k) =>
    items.slice(k * POINTS_PER_CALL, (k + 1) * POINTS_PER_CALL),
  );
}

function completed(write: RecordChange['writes'][number], vectors: ReadonlyMap<string, Vector>): PointWrite {
  const { action, point, seen, vectorOf, collectionIds } = write;
  const vector = vectorOf === null ? null : (vectors.get(vectorOf) ?? null);
  if (action === 'describe') return { action, point, seen };
  return action === 'create' ? { action, point, vector, collectionIds } : { action, point, seen, vector };
}
