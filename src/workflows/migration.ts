import {
  ActivityFailure,
  CancellationScope,
  condition,
  isCancellation,
  proxyActivities,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { ChildWorkflowHandle } from '@temporalio/workflow';
import type {
  Activities,
  JobContext,
  JobStatus,
  MigrationInput,
  MigrationResult,
  PartitionPlan,
  PauseReason,
  PlanSize,
  Preparation,
} from '../job/job.ts';
import { drained, halted, pause, progress, resume, setPaused } from '../job/messages.ts';
import type { MigrationProgress } from '../job/messages.ts';
import { addTotals, NO_TOTALS, withRest, type Totals } from '../job/outcome.ts';
import { runActivity } from './activity.ts';
import { whenFree } from './child.ts';
import { LedgerMirror } from './mirror.ts';
import { workOptions } from './options.ts';
import { partition } from './partition.ts';

/**
 * A job, from preparing the target to its last batch: at most `concurrency` partitions are open at once. It always
 * completes, with the job's totals.
 */
export async function migration(input: MigrationInput): Promise<MigrationResult> {
  const run = new Migration(input);
  let status: MigrationResult['status'] = 'cancelled';
  try {
    const outcome = await run.partitions();
    status = CancellationScope.current().consideredCancelled ? 'cancelled' : outcome;
  } catch (error) {
    if (!CancellationScope.current().consideredCancelled) {
      if (!(error instanceof ActivityFailure)) throw error;
      return run.finish('failed', error.cause?.message ?? error.message);
    }
  }
  return run.finish(status);
}

interface OpenPartition {
  readonly handle: ChildWorkflowHandle<typeof partition>;
  /** The pause state that it was told last. */
  told: { paused: boolean; epoch: number };
}

class Migration {
  readonly #input: MigrationInput;
  readonly #jobId = workflowInfo().firstExecutionRunId;
  readonly #startedAt = workflowInfo().startTime.toISOString();
  readonly #open = new Map<number, OpenPartition>();
  /** Partitions that hold a slot: starting or open, with batches left. */
  readonly #busy = new Set<number>();
  #closed: Totals = NO_TOTALS;
  #status: JobStatus = 'running';
  #pauseReason: PauseReason | null = null;
  #pauseDetail: string | null = null;
  #epoch = 0;
  #phase: MigrationProgress['phase'] = 'preparing';
  #preparation: Preparation | null = null;
  #plan: PlanSize | null = null;
  #sequence = 0;
  #mirror: LedgerMirror | null = null;

  constructor(input: MigrationInput) {
    this.#input = input;
    setHandler(pause, () => this.#pause('requested'));
    setHandler(resume, () => this.#resume());
    setHandler(halted, ({ code, message, epoch }) => {
      // A halt from before the last resume is answered by it.
      if (epoch === this.#epoch) this.#pause(code, message);
    });
    // It may arrive together with the start of its partition, before that is known here.
    setHandler(drained, ({ partition: index }) => {
      this.#busy.delete(index);
    });
    setHandler(progress, () => this.#progress());
  }

  async partitions(): Promise<'completed' | 'failed'> {
    const { specification } = this.#input;
    const { prepareTarget, planPartitions } = proxyActivities<Activities>(workOptions(specification));
    this.#preparation = await this.#untilItWorks(() => prepareTarget({ specification }));
    this.#startMirror();
    this.#phase = 'planning';
    const plan = await this.#untilItWorks(() => planPartitions({ specification }));
    this.#plan = sizeOf(plan);
    this.#phase = 'migrating';
    this.#mirrorState();

    const running: Promise<void>[] = [];
    const telling = new CancellationScope();
    const told = telling.run(() => this.#tellPartitions()).catch(ignoreCancellation);
    try {
      for (const part of plan) {
        await condition(() => this.#pauseReason === null && this.#busy.size < specification.concurrency);
        this.#busy.add(part.index);
        running.push(this.#partition(part));
      }
    } finally {
      // Partitions complete with their totals even when cancelled.
      await CancellationScope.nonCancellable(() => Promise.all(running));
      telling.cancel();
      await told;
    }
    const isClean = this.#closed.failedBatches === 0 && this.#closed.cancelledBatches === 0;
    return isClean ? 'completed' : 'failed';
  }

  /** @param failure why it failed before its first batch, if it did */
  async finish(status: MigrationResult['status'], failure: string | null = null): Promise<MigrationResult> {
    this.#status = status;
    this.#pauseReason = null;
    this.#phase = 'ended';
    if (status === 'cancelled' && this.#plan !== null) {
      // Batches of partitions that never began.
      this.#closed = withRest(this.#closed, this.#plan.batches, 'cancelledBatches');
    }
    this.#mirrorState();
    await this.#mirror?.finish(this.#input.specification.patienceMs);
    const { collection = null, notes = [] } = this.#preparation ?? {};
    return { jobId: this.#jobId, status, failure, collection, notes, plan: this.#plan, totals: this.#closed };
  }

  async #partition(plan: PartitionPlan): Promise<void> {
    const { index } = plan;
    const told = { paused: this.#pauseReason !== null, epoch: this.#epoch };
    try {
      const handle = await whenFree(() =>
        startChild(partition, {
          workflowId: `${workflowInfo().workflowId}/p${index}`,
          args: [{ job: this.#context(), partition: plan, ...told }],
          staticSummary: `batches ${plan.firstBatch} to ${plan.firstBatch + plan.batches - 1}`,
        }),
      );
      this.#open.set(index, { handle, told });
      // Not in one expression: the sum so far would be read before the wait.
      const totals = await handle.result();
      this.#closed = addTotals(this.#closed, totals);
    } catch (error) {
      // Cancelled before it began, or ended by hand in the Temporal UI: its batches have no outcome.
      const lost = isCancellation(error) ? 'cancelledBatches' : 'failedBatches';
      this.#closed = addTotals(this.#closed, { ...NO_TOTALS, [lost]: plan.batches });
    } finally {
      this.#busy.delete(index);
      this.#open.delete(index);
    }
  }

  /** Passes the pause state on to open partitions, whenever one of them has another. */
  async #tellPartitions(): Promise<void> {
    const outdated = (): OpenPartition[] =>
      [...this.#open.values()].filter(
        ({ told }) => told.paused !== (this.#pauseReason !== null) || told.epoch !== this.#epoch,
      );
    for (;;) {
      await condition(() => outdated().length > 0);
      const state = { paused: this.#pauseReason !== null, epoch: this.#epoch };
      await Promise.all(
        outdated().map(async (open) => {
          open.told = state;
          // One that has ended in the meantime needs no signal.
          await open.handle.signal(setPaused, state).catch(() => undefined);
        }),
      );
    }
  }

  /** Runs an activity; at a halting fault the job pauses, and a resume repeats it. */
  async #untilItWorks<T>(activity: () => Promise<T>): Promise<T> {
    for (;;) {
      await condition(() => this.#pauseReason === null);
      const end = await runActivity(this.#input.specification.maxRetries, activity);
      if ('result' in end) return end.result;
      this.#pause(end.halted.code, end.halted.message);
    }
  }

  #pause(reason: PauseReason, detail: string | null = null): void {
    if (this.#phase === 'ended' || this.#pauseReason !== null) return;
    this.#pauseReason = reason;
    this.#pauseDetail = detail;
    this.#status = 'paused';
    this.#mirrorState();
  }

  #resume(): void {
    if (this.#pauseReason === null) return;
    this.#pauseReason = null;
    this.#pauseDetail = null;
    this.#epoch++;
    this.#status = 'running';
    this.#mirrorState();
  }

  #context(): JobContext {
    const { name, specification } = this.#input;
    const { collection, hasLedger } = this.#preparation as Preparation;
    return { name, jobId: this.#jobId, specification, collection, hasLedger, startedAt: this.#startedAt };
  }

  #startMirror(): void {
    const job = this.#context();
    if (!job.hasLedger) return;
    this.#mirror = new LedgerMirror(job);
    this.#mirror.start();
    this.#mirrorState();
  }

  #mirrorState(): void {
    this.#mirror?.reportState({
      sequence: ++this.#sequence,
      status: this.#status,
      reason: this.#pauseReason,
      plan: this.#plan,
      endedAt: this.#phase === 'ended' ? new Date().toISOString() : null,
    });
  }

  #progress(): MigrationProgress {
    return {
      status: this.#status,
      pauseReason: this.#pauseReason,
      pauseDetail: this.#pauseDetail,
      phase: this.#phase,
      startedAt: this.#startedAt,
      collection: this.#preparation?.collection ?? null,
      notes: this.#preparation?.notes ?? [],
      plan: this.#plan,
      closed: this.#closed,
      open: [...this.#open.values()].map(({ handle }) => handle.workflowId),
    };
  }
}

function sizeOf(plan: readonly PartitionPlan[]): PlanSize {
  return {
    partitions: plan.length,
    batches: plan.reduce((sum, { batches }) => sum + batches, 0),
    records: plan.reduce((sum, { records }) => sum + records, 0),
  };
}

function ignoreCancellation(error: unknown): void {
  if (!isCancellation(error)) throw error;
}
