import type { Client } from '@temporalio/client';
import { cancellable } from '../client/cancellable.ts';
import { resumeMigration } from '../client/control.ts';
import { snapshotMigration } from '../client/snapshot.ts';
import { startMigration } from '../client/start.ts';
import type { Environment } from '../config.ts';
import type { MigrationInput } from '../job/job.ts';
import { exitCode, followUntil, isHalted } from './follow.ts';
import { LedgerPatience } from './ledger-patience.ts';

/** The last reports to the ledger follow the end of the job within moments, unless Supabase is out. */
const LEDGER_PATIENCE_MS = 30_000;
const FIRST_ANSWER_MS = 30_000;

/**
 * Runs a worker in this process and a job on it, a new one or the open one of its name; returns when both have ended, or
 * the worker alone because of the signal. Sets the process's exit code.
 *
 * @throws InputError if the open run has another specification
 */
export async function work(
  client: Client,
  environment: Environment,
  input: MigrationInput,
  json: boolean | undefined,
  signal: AbortSignal,
): Promise<void> {
  // eslint-disable-next-line no-restricted-syntax -- no other command should load the SDK's native library
  const { openWorker } = await import('../worker.ts');
  signal.throwIfAborted();
  const worker = await openWorker(environment);
  const broken = new AbortController();
  const working = worker.run();
  working.catch(() => broken.abort());
  const stop = (): void => {
    console.error('Stopping: batches in hand finish or hand over; Ctrl-C again forces.');
    worker.shutdown();
  };
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  const ends = AbortSignal.any([signal, broken.signal]);
  try {
    process.exitCode = await startAndFollow(client, input, json, ends);
  } finally {
    signal.removeEventListener('abort', stop);
    worker.shutdown();
    await working;
  }
  if (signal.aborted) console.error('Stopped; `ferry run` goes on from here.');
}

/** @returns exit code as far as the job goes */
async function startAndFollow(
  client: Client,
  input: MigrationInput,
  json: boolean | undefined,
  signal: AbortSignal,
): Promise<number> {
  const { name } = input;
  signal.throwIfAborted();
  const { jobId, isNew } = await startMigration(client, input, { attach: true });
  if (json !== true) console.log(`${isNew ? 'Started' : 'Goes on with'} ${name} (job ${jobId}).`);
  if (!isNew) await resumeIfPaused(client, name, signal);
  // Without this worker the last reports would not reach the ledger.
  const ledgerPatience = new LedgerPatience(LEDGER_PATIENCE_MS);
  const snapshot = await followUntil(client, name, { json, signal, untilHalt: true, ledgerPatience });
  if (snapshot === null) return 1;
  if (isHalted(snapshot)) {
    console.error('Mend that; then `ferry run` goes on from here.');
    return 1;
  }
  if (snapshot.isOpen) {
    console.error(
      'The ledger is behind; it catches up when a worker runs again: `ferry worker`, or the next `ferry run`.',
    );
  }
  return exitCode(snapshot);
}

/** Whoever runs a job wants it to go on: what paused it was mended, or was the wish of somebody who is done. */
async function resumeIfPaused(client: Client, name: string, signal: AbortSignal): Promise<void> {
  const { status, isCancelRequested } = await cancellable(client, signal, 2 * FIRST_ANSWER_MS, () =>
    snapshotMigration(client, name, FIRST_ANSWER_MS),
  );
  if (status !== 'paused' || isCancelRequested) return;
  await resumeMigration(client, name);
  console.error('It had paused; it goes on.');
}
