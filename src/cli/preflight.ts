import type { Client } from '@temporalio/client';
import { Command } from 'commander';
import pc from 'picocolors';
import { connectTemporal } from '../client/connect.ts';
import { inquireLocally } from '../client/inquire-locally.ts';
import { inquireOnWorker, type Asking } from '../client/inquire.ts';
import { InquiryError } from '../client/inquiry-error.ts';
import { hasOpenRun } from '../client/open-run.ts';
import { pollers } from '../client/pollers.ts';
import { ledgerQueueChecks, lookAtTemporal, temporalOut } from '../client/temporal-checks.ts';
import {
  checkJob,
  checkLocal,
  defaultJobName,
  jobSpecification,
  temporalConfig,
  type Environment,
} from '../config.ts';
import { InputError } from '../errors.ts';
import type { Check, PreflightInput, PreflightReport } from '../job/inquiry.ts';
import type { MigrationInput } from '../job/job.ts';
import { interruptibly, sayWait, withInquiryFlags, type InquiryFlags } from './inquiry-flags.ts';
import { findingLines, preflightTable } from './preflight-render.ts';
import { announcedEnvironment } from './session.ts';
import { SAMPLING, tellIfSlow } from './slow-note.ts';

/**
 * A start does not wait for longer than this to be told that all is well. Workers that are out of slots are given up
 * after 12 s; then the source may take 45 s for the table, and 20 s for its rows.
 */
const START_LIMIT_MS = 90_000;

const NOTHING: PreflightReport = { checks: [], sizes: [], sampled: 0 };

/** `ferry preflight` */
export function preflightCommand(): Command {
  const command = new Command('preflight').description(
    'look at everything that a job needs, and say all that is wrong at once; nothing is changed',
  );
  return withInquiryFlags(command)
    .addHelpText(
      'after',
      `
It embeds one word. docs/preflight.md explains every check.
Exit codes: 0 all fine, or warnings; 2 a problem that a job would run into, or bad settings.

Examples:
  $ ferry preflight                  # from a worker, where the servers are reachable
  $ ferry preflight --local          # from this machine, without Temporal
  $ ferry preflight --json | jq '.checks[] | select(.status != "ok")'`,
    )
    .action(async (flags: InquiryFlags) => {
      const report = await tellIfSlow(askPreflight(flags), SAMPLING, flags);
      console.log(flags.json === true ? JSON.stringify(report) : preflightTable(report));
      if (hasProblem(report.checks)) process.exitCode = 2;
    });
}

/** Whether a job should not be started. */
export function hasProblem(checks: readonly Check[]): boolean {
  return checks.some(({ status }) => status === 'problem');
}

/**
 * Looks before a job is started, on a worker if one polls: says on stderr what is not fine. What keeps it from looking
 * keeps nobody from starting, and an open run of that name is left alone.
 *
 * @returns whether the job may be started: no problem was found
 */
export async function preflightBeforeStart(
  client: Client,
  { name, specification }: MigrationInput,
): Promise<boolean> {
  if (await hasOpenRun(client, name)) return true;
  if ((await pollers(client))?.length === 0) {
    skipped('no worker polls; start one with `ferry worker`');
    return true;
  }
  const checks = await interruptibly((signal) => askBriefly(client, { name, specification }, signal));
  if (checks === null) return true;
  for (const line of findingLines(checks)) console.error(line);
  if (!hasProblem(checks)) return true;
  console.error('Nothing was started. Mend that, or start as it is with --no-preflight.');
  return false;
}

/** @returns what was found; null, with a word of why, if nobody could say in time */
async function askBriefly(
  client: Client,
  { name, specification }: MigrationInput,
  signal: AbortSignal,
): Promise<readonly Check[] | null> {
  const busy = new AbortController();
  const limit = AbortSignal.timeout(START_LIMIT_MS);
  const asking: Asking = {
    signal: AbortSignal.any([signal, busy.signal, limit]),
    onWait: (reason) => {
      if (reason === 'free_slot') busy.abort();
    },
  };
  try {
    return (await inquireOnWorker(client, 'preflight', name, { specification }, asking)).checks;
  } catch (error) {
    if (signal.aborted || !(error instanceof InquiryError || error instanceof InputError)) throw error;
    if (busy.signal.aborted) skipped('no worker has a free slot, all are busy');
    else if (!limit.aborted) skipped(error.message);
    else {
      skipped(
        `it took longer than ${START_LIMIT_MS / 1_000} s, so problems that it may have found are not known; \`ferry preflight\` waits for them`,
      );
    }
    return null;
  }
}

function skipped(why: string): void {
  console.error(pc.yellow(`! Preflight was skipped: ${why}`));
}

/** Looks at Temporal from here and at the rest from a worker, or with --local at the rest from here. */
async function askPreflight(flags: InquiryFlags): Promise<PreflightReport> {
  const specify = (read: Environment) => jobSpecification(read, {});
  const environment = announcedEnvironment(flags, (read) =>
    flags.local === true ? checkLocal(read, specify) : checkJob(read, specify),
  );
  const question = { specification: specify(environment) };
  return interruptibly((signal) => look(flags, environment, question, { signal, onWait: sayWait }));
}

async function look(
  flags: InquiryFlags,
  environment: Environment,
  question: PreflightInput,
  asking: Asking,
): Promise<PreflightReport> {
  try {
    if (flags.local === true) return await inquireLocally(environment, 'preflight', question, asking);
    const { client, close } = await connectTemporal(temporalConfig(environment));
    try {
      const temporal = await lookAtTemporal(client);
      const report = temporal.isPolled
        ? await inquireOnWorker(client, 'preflight', defaultJobName(environment), question, asking)
        : NOTHING;
      const hasLedger = report.checks.some(({ id }) => id === 'ledger.server');
      return {
        ...report,
        checks: [...temporal.checks, ...ledgerQueueChecks(temporal, hasLedger), ...report.checks],
      };
    } finally {
      await close();
    }
  } catch (error) {
    if (!(error instanceof InputError) || flags.local === true) throw error;
    return { ...NOTHING, checks: temporalOut(error) };
  }
}
