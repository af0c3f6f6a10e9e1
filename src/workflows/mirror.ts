import { CancellationScope, condition, isCancellation, proxyActivities } from '@temporalio/workflow';
import type { Activities, JobContext, LedgerJobState, LedgerUpdate } from '../job/job.ts';
import type { BatchReport } from '../job/outcome.ts';
import type { TableSpec } from '../source/source.ts';
import { MIRROR_OPTIONS } from './options.ts';

/** Bounds of one call: the payload limit of Temporal is 2 MiB, warned about from 512 KiB. */
const MAX_REPORTS = 200;
const MAX_BYTES = 512 * 1024;
/** How long a cancelled workflow still tries to tell the ledger. */
const LAST_WORDS_MS = 10_000;

/**
 * Mirrors what a workflow reports into the ledger, one call at a time; what is reported while a call is under way is
 * coalesced into the next, only the newest report on a batch being kept. The workflow never waits for it, except at
 * its end.
 */
export class LedgerMirror {
  readonly #job: LedgerUpdate['job'];
  readonly #table: TableSpec;
  readonly #mirrorLedger = proxyActivities<Activities>(MIRROR_OPTIONS).mirrorLedger;
  readonly #pending = new Map<number, BatchReport>();
  #pendingState: LedgerJobState | null = null;
  #inFlight: readonly BatchReport[] = [];
  #stateInFlight: LedgerJobState | null = null;
  #pendingBytes = 0;
  #scope: CancellationScope | null = null;
  #loop: Promise<void> = Promise.resolve();

  constructor({ jobId, name, specification, collection, startedAt }: JobContext) {
    this.#job = { id: jobId, name, source: specification.source, collection, startedAt };
    this.#table = specification.table;
  }

  /** Begins to mirror; {@link stop} ends it. It outlives the workflow's own cancellation. */
  start(): void {
    this.#loop = CancellationScope.nonCancellable(async () => {
      // Non-cancellable scopes ignore every cancellation; the one inside can still be cancelled by stop().
      const scope = new CancellationScope();
      this.#scope = scope;
      try {
        await scope.run(() => this.#run());
      } catch (error) {
        if (!isCancellation(error)) throw error;
      }
    });
  }

  report(report: BatchReport): void {
    const replaced = this.#pending.get(report.batch);
    if (replaced !== undefined) this.#pendingBytes -= bytesOf(replaced);
    this.#pending.set(report.batch, report);
    this.#pendingBytes += bytesOf(report);
  }

  reportState(state: LedgerJobState): void {
    this.#pendingState = state;
  }

  /** Bytes that wait to be mirrored. */
  get backlogBytes(): number {
    return this.#pendingBytes + this.#inFlight.reduce((sum, report) => sum + bytesOf(report), 0);
  }

  /** Reports that the ledger may not have yet, in order of batch, the newest of each. */
  get unmirrored(): readonly BatchReport[] {
    const newest = new Map(this.#inFlight.map((report) => [report.batch, report]));
    for (const [batch, report] of this.#pending) newest.set(batch, report);
    return [...newest.values()].sort((a, b) => a.batch - b.batch);
  }

  get isIdle(): boolean {
    return this.#hasNothingPending && this.#inFlight.length === 0 && this.#stateInFlight === null;
  }

  /** Gives up the call under way; what it carried counts as unmirrored. */
  async stop(): Promise<void> {
    this.#scope?.cancel();
    await this.#loop;
  }

  /** Waits until everything is mirrored or the patience has ended; after the workflow's cancellation, 10 s. */
  async finish(patienceMs: number): Promise<void> {
    try {
      await condition(() => this.isIdle, patienceMs);
    } catch (error) {
      if (!isCancellation(error)) throw error;
      await CancellationScope.nonCancellable(() => condition(() => this.isIdle, LAST_WORDS_MS));
    }
    await this.stop();
  }

  get #hasNothingPending(): boolean {
    return this.#pending.size === 0 && this.#pendingState === null;
  }

  async #run(): Promise<void> {
    for (;;) {
      await condition(() => !this.#hasNothingPending);
      this.#take();
      const update = { job: this.#job, state: this.#stateInFlight, batches: this.#inFlight };
      await this.#mirrorLedger({ table: this.#table, update });
      this.#inFlight = [];
      this.#stateInFlight = null;
    }
  }

  #take(): void {
    const taken: BatchReport[] = [];
    let bytes = 0;
    for (const report of [...this.#pending.values()].sort((a, b) => a.batch - b.batch)) {
      bytes += bytesOf(report);
      if (taken.length === MAX_REPORTS || (taken.length > 0 && bytes > MAX_BYTES)) break;
      taken.push(report);
      this.#pending.delete(report.batch);
      this.#pendingBytes -= bytesOf(report);
    }
    this.#inFlight = taken;
    this.#stateInFlight = this.#pendingState;
    this.#pendingState = null;
  }
}

function bytesOf(report: BatchReport): number {
  return JSON.stringify(report).length;
}
