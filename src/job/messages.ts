import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { HaltingFault, JobStatus, PauseReason, PlanSize } from './job.ts';
import type { Totals } from './outcome.ts';

/** To the root: start no further batch; batches in hand end normally. */
export const pause = defineSignal('pause');
/** To the root: go on. */
export const resume = defineSignal('resume');

/** Root to partition. The epoch rises with every resume, so that a late report of a halt can be told from a new one. */
export interface PauseState {
  readonly paused: boolean;
  readonly epoch: number;
}
export const setPaused = defineSignal<[PauseState]>('setPaused');

/** Partition to root: a batch met a fault that only a person can mend. */
export const halted = defineSignal<[HaltingFault & { readonly epoch: number }]>('halted');
/** Partition to root: my last batch has ended, only the ledger is behind; take my slot. */
export const drained = defineSignal<[{ readonly partition: number }]>('drained');

/** What the root knows: closed partitions summed, open ones by id. */
export interface MigrationProgress {
  readonly status: JobStatus;
  readonly pauseReason: PauseReason | null;
  /** What the fault says beyond its code (a setting, differences of a collection), where the root knows. */
  readonly pauseDetail: string | null;
  readonly phase: 'preparing' | 'planning' | 'migrating' | 'ended';
  /** ISO 8601. */
  readonly startedAt: string;
  readonly collection: string | null;
  readonly notes: readonly string[];
  readonly plan: PlanSize | null;
  /** Of closed partitions. */
  readonly closed: Totals;
  /** Workflow ids of open partitions. */
  readonly open: readonly string[];
}
/** On the root. */
export const progress = defineQuery<MigrationProgress>('progress');

/** What a partition knows of its own part. */
export interface PartitionProgress {
  readonly totals: Totals;
  /** Workflow id of the batch in hand, or null. */
  readonly batch: string | null;
  readonly paused: boolean;
  /** Reports that the ledger does not have yet. */
  readonly unmirrored: number;
}
/** On a partition. */
export const partitionProgress = defineQuery<PartitionProgress>('partitionProgress');
