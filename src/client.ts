import { defaultJobName, jobSpecification, readEnvironment, temporalConfig } from './config.ts';
import type { StartFlags } from './config.ts';
import { connectTemporal } from './client/connect.ts';
import { inquireOnWorker, type Answer, type Asking, type Question } from './client/inquire.ts';
import { cancelMigration, migrationResult, pauseMigration, resumeMigration } from './client/control.ts';
import { listMigrations, type ListedRun } from './client/list.ts';
import { snapshotMigration, type Snapshot } from './client/snapshot.ts';
import { startMigration } from './client/start.ts';
import type {
  Inquiry,
  InspectReport,
  PlanReport,
  PreflightReport,
  SearchInput,
  SearchReport,
} from './job/inquiry.ts';
import type { MigrationResult } from './job/job.ts';

export { AlreadyOpenError } from './client/start.ts';
export { InquiryError } from './client/inquiry-error.ts';
export { InputError } from './errors.ts';
export type { Asking } from './client/inquire.ts';
export type { ListedRun } from './client/list.ts';
export type { Snapshot, Wait } from './client/snapshot.ts';
export type {
  Check,
  Hit,
  InspectedPoint,
  InspectReport,
  PlanReport,
  PreflightReport,
  SearchReport,
  SizeBucket,
} from './job/inquiry.ts';
export type { MigrationResult } from './job/job.ts';
export type { JobSpecification } from './job/specification.ts';
export type { Totals } from './job/outcome.ts';

/** Starts, controls and inspects jobs. Where a name may be left out it is `<table>-to-<collection>`. */
export interface Ferry {
  /** Starts a job as the settings say. @throws AlreadyOpenError, InputError */
  start(
    options?: StartFlags & { name?: string; attach?: boolean },
  ): Promise<{ name: string; jobId: string; isNew: boolean }>;
  pause(name?: string): Promise<void>;
  resume(name?: string): Promise<void>;
  cancel(name?: string): Promise<void>;
  /** The job at this moment. */
  snapshot(name?: string): Promise<Snapshot>;
  /** Waits for the job's end. */
  result(name?: string): Promise<MigrationResult>;
  list(limit?: number): Promise<ListedRun[]>;
  /** Looks at everything that a job needs. @throws InputError if no worker polls, InquiryError without an answer */
  preflight(options?: StartFlags & Asking): Promise<PreflightReport>;
  /**
   * What a job would do and cost; nothing is written or paid.
   *
   * @param options.isExact compares every range with the target instead of estimating from a sample
   * @param options.usdPerMillionTokens for the costs; none without it
   * @throws InputError if no worker polls, InquiryError without an answer
   */
  plan(
    options?: StartFlags & Asking & { isExact?: boolean; usdPerMillionTokens?: number | null },
  ): Promise<PlanReport>;
  /** Searches what was migrated; unless `sparse`, one paid input. @throws InputError, InquiryError as above */
  search(
    text: string,
    options?: Asking & Partial<Omit<SearchInput, 'specification' | 'text'>>,
  ): Promise<SearchReport>;
  /** One record, in the source and in the target. @throws InputError, InquiryError as above */
  inspect(recordId: bigint | string, options?: Asking & { withContent?: boolean }): Promise<InspectReport>;
  close(): Promise<void>;
}

/**
 * Connects as the environment, ./.env or the running local stack say.
 *
 * @throws InputError if settings are malformed or Temporal does not answer
 */
export async function connectFerry(options: { useStack?: boolean } = {}): Promise<Ferry> {
  const environment = readEnvironment(options);
  const { client, close } = await connectTemporal(temporalConfig(environment));
  const named = (name?: string): string => name ?? defaultJobName(environment);
  const inquire = <Name extends Inquiry>(
    inquiry: Name,
    question: Question<Name>,
    asking: Asking = {},
  ): Promise<Answer<Name>> => inquireOnWorker(client, inquiry, defaultJobName(environment), question, asking);
  return {
    start: async ({ name, attach = false, ...flags } = {}) => {
      const input = { name: named(name), specification: jobSpecification(environment, flags) };
      return { name: input.name, ...(await startMigration(client, input, { attach })) };
    },
    pause: (name) => pauseMigration(client, named(name)),
    resume: (name) => resumeMigration(client, named(name)),
    cancel: (name) => cancelMigration(client, named(name)),
    snapshot: (name) => snapshotMigration(client, named(name)),
    result: (name) => migrationResult(client, named(name)),
    list: (limit) => listMigrations(client, limit),
    preflight: (options = {}) =>
      inquire('preflight', { specification: jobSpecification(environment, options) }, options),
    plan: ({ isExact = false, usdPerMillionTokens = null, ...options } = {}) => {
      const specification = jobSpecification(environment, options);
      return inquire('plan', { specification, isExact, usdPerMillionTokens }, options);
    },
    search: (text, { mode = 'hybrid', limit = 10, tenant = null, parents = false, ...asking } = {}) => {
      const specification = jobSpecification(environment, {});
      return inquire('search', { specification, text, mode, limit, tenant, parents }, asking);
    },
    inspect: (recordId, { withContent = false, ...asking } = {}) => {
      const specification = jobSpecification(environment, {});
      return inquire('inspect', { specification, recordId: String(recordId), withContent }, asking);
    },
    close,
  };
}
