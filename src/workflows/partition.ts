import {
  ActivityFailure,
  CancellationScope,
  condition,
  continueAsNew,
  executeChild,
  getExternalWorkflowHandle,
  isCancellation,
  proxyActivities,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  Activities,
  BatchEnd,
  BatchPlan,
  BatchResult,
  HaltingFault,
  JobContext,
  PartitionPlan,
} from '../job/job.ts';
import { drained, halted, partitionProgress, setPaused } from '../job/messages.ts';
import { addTotals, endedBatches, NO_TOTALS, totalsOf, withRest } from '../job/outcome.ts';
import type { BatchReport, Outcome, Totals } from '../job/outcome.ts';
import { runActivity } from './activity.ts';
import { batch } from './batch.ts';
import { whenFree } from './child.ts';
import { LedgerMirror } from './mirror.ts';
import { workOptions } from './options.ts';

/** A ledger that is further behind than this gets no new batch until it is back. */
const MAX_BACKLOG_BYTES = 1024 * 1024;

/** Input of the partition workflow; `continued` is what one execution hands to the next. */
export interface PartitionInput {
  readonly job: JobContext;
  readonly partition: PartitionPlan;
  /** State of the job's pause when the partition starts. */
  readonly paused: boolean;
  readonly epoch: number;
  readonly continued?: {
    /** What is left of the plan. */
    readonly plan: readonly BatchPlan[];
    readonly sequence: number;
    readonly totals: Totals;
    readonly unmirrored: readonly BatchReport[];
  };
}

/**
 * A contiguous part of the plan: runs its batches one after the other, and continues as new between two of them when
 * Temporal suggests it. It always completes, with the totals of its batches.
 */
export async function partition(input: PartitionInput): Promise<Totals> {
  const run = new Partition(input);
  try {
    await run.batches();
  } catch (error) {
    // Of one batch's cancellation we are told as its outcome; this is our own.
    if (CancellationScope.current().consideredCancelled) run.giveUpRest('cancelledBatches');
    else if (error instanceof ActivityFailure) run.giveUpRest('failedBatches');
    else throw error;
  }
  return run.finish();
}

class Partition {
  readonly #input: PartitionInput;
  readonly #job: JobContext;
  readonly #mirror: LedgerMirror;
  #paused: boolean;
  #epoch: number;
  #sequence: number;
  #totals: Totals;
  #open: string | null = null;

  constructor(input: PartitionInput) {
    const { job, continued } = input;
    this.#input = input;
    this.#job = job;
    this.#paused = input.paused;
    this.#epoch = input.epoch;
    this.#sequence = continued?.sequence ?? 0;
    this.#totals = continued?.totals ?? NO_TOTALS;
    this.#mirror = new LedgerMirror(job);
    setHandler(setPaused, ({ paused, epoch }) => {
      this.#paused = paused;
      this.#epoch = epoch;
    });
    setHandler(partitionProgress, () => ({
      totals: this.#totals,
      batch: this.#open,
      paused: this.#paused,
      unmirrored: this.#mirror.unmirrored.length,
    }));
    for (const report of continued?.unmirrored ?? []) this.#mirror.report(report);
    if (job.hasLedger) this.#mirror.start();
  }

  async batches(): Promise<void> {
    const plan = this.#input.continued?.plan ?? (await this.#plan());
    for (let next = 0; next < plan.length;) {
      await condition(() => !this.#paused && this.#mirror.backlogBytes <= MAX_BACKLOG_BYTES);
      if (workflowInfo().continueAsNewSuggested) await this.#continueAsNew(plan.slice(next));
      const isDone = await this.#batch(plan[next] as BatchPlan);
      if (isDone) next++;
    }
  }

  /** Counts the batches that will not run, so that nobody takes the job for complete. */
  giveUpRest(as: 'cancelledBatches' | 'failedBatches'): void {
    this.#totals = withRest(this.#totals, this.#input.partition.batches, as);
  }

  async finish(): Promise<Totals> {
    if (this.#mirror.isIdle || !this.#job.hasLedger) return this.#totals;
    await this.#signalRoot((root) => root.signal(drained, { partition: this.#input.partition.index }));
    await this.#mirror.finish(this.#job.specification.patienceMs);
    return this.#totals;
  }

  async #plan(): Promise<readonly BatchPlan[]> {
    const { specification } = this.#job;
    const { planBatches } = proxyActivities<Activities>(workOptions(specification));
    for (;;) {
      const planned = await runActivity(specification.maxRetries, () =>
        planBatches({ specification, partition: this.#input.partition }),
      );
      if ('result' in planned) return planned.result;
      await this.#halt(planned.halted);
      await condition(() => !this.#paused);
    }
  }

  /** @returns whether the batch has ended; false if a fault halted it and it has to run again */
  async #batch(plan: BatchPlan): Promise<boolean> {
    const number = this.#input.partition.firstBatch + endedBatches(this.#totals);
    const startedAt = new Date().toISOString();
    this.#report({ batch: number, sequence: this.#nextSequence(), status: 'processing', startedAt });
    const workflowId = `${workflowInfo().workflowId}/b${number}`;
    this.#open = workflowId;
    const epoch = this.#epoch;
    const ended = (status: Outcome['status'], result: BatchResult): void => {
      const endedAt = new Date().toISOString();
      const outcome = {
        ...result,
        batch: number,
        sequence: this.#nextSequence(),
        status,
        startedAt,
        endedAt,
      };
      this.#totals = addTotals(this.#totals, totalsOf(outcome));
      this.#report(outcome);
    };
    try {
      const end: BatchEnd = await whenFree(() =>
        executeChild(batch, {
          workflowId,
          args: [{ job: this.#job, batch: number, plan }],
          staticSummary: `records ${plan.after} to ${plan.upTo}`,
        }),
      );
      if ('halted' in end) {
        // Whoever resumed while it ran may have mended what it met.
        if (epoch === this.#epoch) await this.#halt(end.halted);
        return false;
      }
      ended('completed', end);
      return true;
    } catch (error) {
      ended(isCancellation(error) ? 'cancelled' : 'failed', NOTHING_DONE);
      if (CancellationScope.current().consideredCancelled) throw error;
      return true;
    } finally {
      this.#open = null;
    }
  }

  async #halt(fault: HaltingFault): Promise<void> {
    this.#paused = true;
    await this.#signalRoot((root) => root.signal(halted, { ...fault, epoch: this.#epoch }));
  }

  async #continueAsNew(plan: readonly BatchPlan[]): Promise<never> {
    // A call under way would go on beside the next execution's; the ledger ignores what it has already.
    await this.#mirror.stop();
    const { job, partition: own } = this.#input;
    return continueAsNew<typeof partition>({
      job,
      partition: own,
      paused: this.#paused,
      epoch: this.#epoch,
      continued: {
        plan,
        sequence: this.#sequence,
        totals: this.#totals,
        unmirrored: this.#mirror.unmirrored,
      },
    });
  }

  #report(report: BatchReport): void {
    if (this.#job.hasLedger) this.#mirror.report(report);
  }

  #nextSequence(): number {
    return ++this.#sequence;
  }

  async #signalRoot(
    send: (root: ReturnType<typeof getExternalWorkflowHandle>) => Promise<void>,
  ): Promise<void> {
    const { parent } = workflowInfo();
    if (parent === undefined) return;
    try {
      await CancellationScope.nonCancellable(() => send(getExternalWorkflowHandle(parent.workflowId)));
    } catch {
      // A root that has ended needs no signal.
    }
  }
}

const NOTHING_DONE = {
  firstId: null,
  lastId: null,
  records: 0,
  written: 0,
  unchanged: 0,
  skipped: 0,
  failed: [],
  orphans: 0,
  pointsWritten: 0,
  pointsDeleted: 0,
  inputs: 0,
  tokens: 0,
  attempts: 0,
  worker: null,
} as const satisfies BatchResult;
