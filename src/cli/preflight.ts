import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { Command } from 'commander';
import pc from 'picocolors';
import { connectTemporal } from '../client/connect.ts';
import { inquireLocally } from '../client/inquire-locally.ts';
import { inquireOnWorker, type Asking } from '../client/inquire.ts';
import { InquiryError } from '../client/inquiry-error.ts';
import { pollers } from '../client/pollers.ts';
import { ledgerQueueChecks, lookAtTemporal, temporalOut } from '../client/temporal-checks.ts';
import { checkJob, defaultJobName, jobSpecification, temporalConfig, type Environment } from '../config.ts';
import { InputError } from '../errors.ts';
import type { Check, PreflightReport } from '../job/inquiry.ts';
import { migrationWorkflowId, type MigrationInput } from '../job/job.ts';
import { sayWait, withInquiryFlags, type InquiryFlags } from './inquiry-flags.ts';
import { findingLines, preflightTable } from './preflight-render.ts';
import { announcedEnvironment } from './session.ts';

/** A start does not wait for longer than this to be told that all is well. */
const START_LIMIT_MS = 60_000;

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
      const report = await askPreflight(flags);
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
  if (await isOpen(client, name)) return true;
  if ((await pollers(client))?.length === 0) {
    skipped('no worker polls; start one with `ferry worker`');
    return true;
  }
  const withdrawal = new AbortController();
  const asking: Asking = {
    signal: AbortSignal.any([withdrawal.signal, AbortSignal.timeout(START_LIMIT_MS)]),
    onWait: (reason) => {
      if (reason === 'free_slot') withdrawal.abort();
    },
  };
  try {
    const { checks } = await inquireOnWorker(client, 'preflight', name, { specification }, asking);
    for (const line of findingLines(checks)) console.error(line);
    if (!hasProblem(checks)) return true;
    console.error('Nothing was started. Mend that, or start as it is with --no-preflight.');
    return false;
  } catch (error) {
    if (!(error instanceof InquiryError || error instanceof InputError)) throw error;
    const isGivenUp = asking.signal?.aborted === true;
    skipped(isGivenUp ? 'no worker took it up in time, all seem to be busy' : error.message);
    return true;
  }
}

function skipped(why: string): void {
  console.error(pc.yellow(`! Preflight was skipped: ${why}`));
}

async function isOpen(client: Client, name: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(migrationWorkflowId(name)).describe();
    return status.name === 'RUNNING';
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return false;
    throw error;
  }
}

/** Looks at Temporal from here and at the rest from a worker, or with --local at the rest from here. */
async function askPreflight(flags: InquiryFlags): Promise<PreflightReport> {
  const specify = (read: Environment) => jobSpecification(read, {});
  const environment = announcedEnvironment(flags, (read) =>
    flags.local === true ? specify(read) : checkJob(read, specify),
  );
  const question = { specification: specify(environment) };
  const withdrawal = new AbortController();
  const onInterrupt = (): void => withdrawal.abort();
  process.once('SIGINT', onInterrupt);
  const asking = { signal: withdrawal.signal, onWait: sayWait };
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
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}
