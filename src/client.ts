import { defaultJobName, jobSpecification, readEnvironment, temporalConfig } from './config.ts';
import type { StartFlags } from './config.ts';
import { connectTemporal } from './client/connect.ts';
import { cancelMigration, migrationResult, pauseMigration, resumeMigration } from './client/control.ts';
import { listMigrations, type ListedRun } from './client/list.ts';
import { snapshotMigration, type Snapshot } from './client/snapshot.ts';
import { startMigration } from './client/start.ts';
import type { MigrationResult } from './job/job.ts';

export { AlreadyOpenError } from './client/start.ts';
export { InputError } from './errors.ts';
export type { ListedRun } from './client/list.ts';
export type { Snapshot, Wait } from './client/snapshot.ts';
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
    close,
  };
}
