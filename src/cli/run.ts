import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { Command } from 'commander';
import pc from 'picocolors';
import { connectTemporal } from '../client/connect.ts';
import {
  checkRun,
  defaultJobName,
  jobSpecification,
  readEnvironment,
  temporalConfig,
  type Environment,
} from '../config.ts';
import { InputError } from '../errors.ts';
import { migrationWorkflowId, type MigrationInput } from '../job/job.ts';
import type { Progress } from '../stack/stack.ts';
import { canAsk } from './confirm.ts';
import { foresee } from './foresee.ts';
import { openInterruption } from './interruption.ts';
import { isMissedByOthers, openTemporal, otherWorkers, type TemporalPlace } from './local-temporal.ts';
import type { CommonFlags } from './session.ts';
import { work } from './work.ts';
import { withJobFlags, type JobFlags } from './job-flags.ts';

interface RunOptions extends CommonFlags, JobFlags {
  readonly yes?: boolean;
  readonly verbose?: boolean;
}

const NAMESPACE_PATIENCE_MS = 20_000;
/** Exit codes where nothing was started: as for bad input, and as for a job that was cancelled. */
const NOT_STARTED = { problems: 2, nothing: 3 } as const;

/** `ferry run` */
export function runCommand(): Command {
  return withJobFlags(new Command('run'))
    .description('check, plan and run a migration in this process, with a worker and if need be Temporal')
    .option('--yes', 'start without asking; needed where there is no terminal')
    .option('--verbose', 'show the log of the worker (WORKER_LOG_LEVEL), not only its warnings')
    .option('--stack', 'use the local stack whatever the environment says')
    .option('--json', 'print JSON, a value on each line: preflight, plan, then the job as it goes')
    .addHelpText(
      'after',
      `
Temporal is the one that the settings name, else the local stack's, else one that is started for this run and stopped at
its end. Ctrl-C stops the run at whole records; the next \`ferry run\` goes on from there, also with a job that has paused.

Exit codes: 0 completed, 1 failed records or batches, or paused by a fault, 2 bad input or a problem that preflight
found, 3 cancelled or not confirmed, 130 stopped by Ctrl-C.

Examples:
  $ ferry run --limit 100            # look at a hundred records first
  $ ferry run                        # everything; finished records cost a look-up
  $ ferry run --yes --json           # in a script`,
    )
    .action(run);
}

async function run(options: RunOptions): Promise<void> {
  if (options.yes !== true && !canAsk()) {
    throw new InputError(['--yes: there is no terminal to ask on; add --yes to start without being asked.']);
  }
  const settings = readEnvironment({ useStack: options.stack ?? false });
  for (const warning of settings.warnings) console.error(pc.yellow(`! ${warning}`));
  const input = jobOf(settings, options);
  const interruption = openInterruption();
  try {
    const say = ({ message }: Progress): void => console.error(pc.dim(`Temporal: ${message}`));
    const temporal = await openTemporal(settings, say, interruption.signal);
    interruption.onForce = () => temporal.stop();
    try {
      await runWith(temporal, input, options, interruption.signal);
    } finally {
      await temporal.stop();
    }
  } catch (error) {
    // What breaks because of Ctrl-C is no news.
    if (!interruption.signal.aborted) throw error;
  } finally {
    interruption.close();
    if (interruption.signal.aborted) process.exitCode = interruption.exitCode;
  }
}

/** @throws InputError naming all that is wrong with the settings, before anything is started */
function jobOf(settings: Environment, options: RunOptions): MigrationInput {
  const specify = (read: Environment): MigrationInput => ({
    name: options.name ?? defaultJobName(read),
    specification: jobSpecification(read, options),
  });
  checkRun(settings, specify);
  return specify(settings);
}

async function runWith(
  temporal: TemporalPlace,
  input: MigrationInput,
  options: RunOptions,
  signal: AbortSignal,
): Promise<void> {
  const config = temporalConfig(temporal.environment);
  const { client, close } = await connectTemporal(config);
  try {
    console.error(pc.dim(`Temporal ${config.connectionOptions.address}, namespace ${config.namespace}`));
    const others = temporal.isBorrowed ? await otherWorkers(client) : [];
    if (others.length > 0) {
      console.error(
        pc.yellow(
          `! Other workers poll this Temporal (${others.join(', ')}) and take batches of this job with settings of their own; end them unless these are the same.`,
        ),
      );
    }
    const isOpen = await hasOpenRun(client, input.name);
    const foreseen = await foresee(temporal.environment, input, { ...options, isOpen, signal });
    if (foreseen === 'start') {
      await work(client, quietly(temporal.environment, options), input, options.json, signal);
    } else process.exitCode = NOT_STARTED[foreseen];
  } finally {
    if (temporal.isStartedHere && (await isMissedByOthers(client).catch(() => false))) {
      temporal.keep();
      console.error(pc.dim('Temporal stays up, others use it; `ferry stack down` ends it.'));
    }
    await close();
  }
}

/** A Temporal that was started a moment ago takes a while to see its own namespace everywhere. */
async function hasOpenRun(client: Client, name: string): Promise<boolean> {
  for (const deadline = Date.now() + NAMESPACE_PATIENCE_MS; ; await sleep(200)) {
    try {
      const { status } = await client.workflow.getHandle(migrationWorkflowId(name)).describe();
      return status.name === 'RUNNING';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      if (!(error instanceof NamespaceNotFoundError) || Date.now() > deadline) throw error;
    }
  }
}

/** Without --verbose the worker says no more than warnings: progress is what the terminal is for. */
function quietly(environment: Environment, { verbose }: RunOptions): Environment {
  const level = environment.values['WORKER_LOG_LEVEL'];
  if (verbose === true || level === 'ERROR') return environment;
  return { ...environment, values: { ...environment.values, WORKER_LOG_LEVEL: 'WARN' } };
}
