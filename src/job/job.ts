import type { FaultCode } from '../errors.ts';
import type { TableSpec } from '../source/source.ts';
import type { BatchReport, Outcome, Totals } from './outcome.ts';
import type { JobSpecification } from './specification.ts';

/** Task queue of workflows and batches. */
export const TASK_QUEUE = 'vector-ferry';
/** Task queue of the ledger's mirror alone, so that an outage of Supabase takes no slot from batches. */
export const LEDGER_TASK_QUEUE = 'vector-ferry-ledger';

/** Workflow types, as the Temporal UI and `temporal workflow list` show them. */
export const WORKFLOW_TYPES = { migration: 'migration', partition: 'partition', batch: 'batch' } as const;

/** Workflow id of the job of that name; Temporal keeps at most one open run of it. */
export function migrationWorkflowId(name: string): string {
  return `migration-${name}`;
}

/** Input of the root workflow. */
export interface MigrationInput {
  readonly name: string;
  readonly specification: JobSpecification;
}

/** Size of a job's plan. */
export interface PlanSize {
  readonly partitions: number;
  readonly batches: number;
  readonly records: number;
}

/** `running` covers planning too; the last three are final. */
export type JobStatus = 'running' | 'paused' | 'completed' | 'failed' | 'cancelled';

/** Why a job is paused: `requested` by a person, or a halting fault. */
export type PauseReason = 'requested' | FaultCode;

/** Result of the root workflow. */
export interface MigrationResult {
  /** UUID of the job: the first execution run id of the root. */
  readonly jobId: string;
  readonly status: 'completed' | 'failed' | 'cancelled';
  /** Why the job failed before its first batch; null if it did not. */
  readonly failure: string | null;
  /** The concrete collection; null if the job ended before it was prepared. */
  readonly collection: string | null;
  /** Sentences for the operator, from preparing the collection. */
  readonly notes: readonly string[];
  readonly plan: PlanSize | null;
  readonly totals: Totals;
}

/** A contiguous part of the plan; ids are decimal strings. */
export interface PartitionPlan {
  /** Number within the job, from 0. */
  readonly index: number;
  /** The partition covers record ids in (after, upTo]. */
  readonly after: string;
  readonly upTo: string;
  /** Where orphaned points still belong to the last batch: upTo, or the largest integer at the end of the table. */
  readonly pointsUpTo: string;
  readonly firstBatch: number;
  readonly batches: number;
  readonly records: number;
}

/** One batch of a partition's plan; ids are decimal strings. */
export interface BatchPlan {
  readonly after: string;
  readonly upTo: string;
  /** As in {@link PartitionPlan}; differs from upTo in the last batch of a job at most. */
  readonly pointsUpTo: string;
}

/** What a job passes down to everything that it starts. */
export interface JobContext {
  readonly name: string;
  /** UUID of the job. */
  readonly jobId: string;
  readonly specification: JobSpecification;
  /** The concrete collection that the job writes to. */
  readonly collection: string;
  /** Whether the workers mirror the job in Supabase. */
  readonly hasLedger: boolean;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** What a batch reports when its activity has ended well. */
export type BatchResult = Omit<Outcome, 'batch' | 'sequence' | 'status' | 'startedAt' | 'endedAt'>;

/** A fault that only a person can mend; its message names settings and differences, never content. */
export interface HaltingFault {
  readonly code: FaultCode;
  readonly message: string;
}

/** How a batch workflow ends: with a result, or at a fault that pauses the job. */
export type BatchEnd = BatchResult | { readonly halted: HaltingFault };

/** What prepareTarget found. */
export interface Preparation {
  /** The concrete collection. */
  readonly collection: string;
  /** Sentences for the operator. */
  readonly notes: readonly string[];
  readonly hasLedger: boolean;
}

/** The activities, as workflows see them. */
export interface Activities {
  readonly prepareTarget: (input: { readonly specification: JobSpecification }) => Promise<Preparation>;
  readonly planPartitions: (input: { readonly specification: JobSpecification }) => Promise<PartitionPlan[]>;
  readonly planBatches: (input: {
    readonly specification: JobSpecification;
    readonly partition: PartitionPlan;
  }) => Promise<BatchPlan[]>;
  readonly reconcileBatch: (input: BatchInput) => Promise<BatchResult>;
  readonly mirrorLedger: (input: {
    readonly table: TableSpec;
    readonly update: LedgerUpdate;
  }) => Promise<void>;
}

/** Input of the batch workflow and its activity. */
export interface BatchInput {
  readonly job: JobContext;
  /** Number within the job. */
  readonly batch: number;
  readonly plan: BatchPlan;
}

/** What a batch in hand is doing; the details of its activity's heartbeat. */
export interface BatchHeartbeat {
  /** What it waits for (a fault code, `rate_budget` or `memory_budget`), and since when (ISO 8601); null while it works. */
  readonly waiting: { readonly reason: string; readonly since: string } | null;
  /** For the next attempt, if this one is lost. Missing in heartbeats of earlier releases. */
  readonly losses?: Losses;
}

/** What an attempt leaves to the next one, should it be lost: how a row that kills its worker is told. */
export interface Losses {
  /** Of the process that sends this: if that one takes the next attempt too, its worker has not died. */
  readonly process: string;
  /** How much the sender's loss would weigh now; 0: nothing. */
  readonly weight: number;
  /** What the attempts weigh that were lost in a row before the sender. */
  readonly inARow: number;
  /** Id of the record in hand, if records go one by one. */
  readonly record: string | null;
  /** The record at which an attempt was lost last, and what those weigh that were lost at it in a row. */
  readonly suspect: { readonly id: string; readonly weight: number } | null;
  /** Ids of records that were given up, at most those of a batch. */
  readonly givenUp: readonly string[];
}

/** One change of the ledger; applying it twice, or after a later one, changes nothing. */
export interface LedgerUpdate {
  readonly job: {
    readonly id: string;
    readonly name: string;
    readonly source: string;
    readonly collection: string | null;
    /** ISO 8601. */
    readonly startedAt: string;
  };
  /** The job row, if this update is about it. */
  readonly state: LedgerJobState | null;
  /** In order of batch number, at most one report a batch. */
  readonly batches: readonly BatchReport[];
}

/** The part of the job row that the root knows. */
export interface LedgerJobState {
  /** Rises with every update by the root; the ledger ignores lower ones. */
  readonly sequence: number;
  readonly status: 'pending' | JobStatus;
  readonly reason: string | null;
  readonly plan: PlanSize | null;
  /** ISO 8601; null until the job has ended. */
  readonly endedAt: string | null;
}
