import { InvalidArgumentError, type Command } from 'commander';
import type { StartFlags } from '../config.ts';

/** Flags of the commands that start a job. */
export interface JobFlags extends StartFlags {
  readonly name?: string;
}

/** Adds the flags of {@link JobFlags} to a command. */
export function withJobFlags(command: Command): Command {
  return command
    .option('--name <name>', 'name of the job (default: <table>-to-<collection>)')
    .option('--limit <n>', 'only the N lowest ids that pass the filter', positive)
    .option('--prune', 'delete points of rows that the table no longer has')
    .option('--batch-size <n>', 'records of a batch (BATCH_SIZE)')
    .option('--concurrency <n>', 'batches in hand at once (MAX_WORKERS)');
}

/** Flags of the commands that look before they start a job. */
export interface PreflightFlags {
  /** False with --no-preflight. */
  readonly preflight?: boolean;
}

/** Adds the flags of {@link PreflightFlags} to a command. */
export function withPreflightFlags(command: Command): Command {
  return command.option(
    '--no-preflight',
    'start without looking at source, target and embedding service first',
  );
}

function positive(text: string): number {
  // Digits only: 1e3 or 0x10 is rather a slip than a number.
  const value = /^\d+$/u.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('Expected a whole number from 1.');
  return value;
}
