import { Command } from 'commander';
import pc from 'picocolors';
import { connectTemporal } from '../client/connect.ts';
import { pauseOf } from '../client/open-pause.ts';
import { hasOpenRun } from '../client/open-run.ts';
import {
  checkRun,
  defaultJobName,
  jobSpecification,
  readEnvironment,
  temporalConfig,
  type Environment,
} from '../config.ts';
import { InputError } from '../errors.ts';
import type { MigrationInput } from '../job/job.ts';
import type { Progress } from '../stack/stack.ts';
import { canAsk } from './confirm.ts';
import { foresee } from './foresee.ts';
import { openInterruption } from './interruption.ts';
import { isMissedByOthers, openTemporal, otherWorkers, type TemporalPlace } from './local-temporal.ts';
import type { CommonFlags } from './session.ts';
import { work } from './work.ts';
import { withJobFlags, withPreflightFlags, type JobFlags, type PreflightFlags } from './job-flags.ts';

interface RunOptions extends CommonFlags, JobFlags, PreflightFlags {
  readonly yes?: boolean;
  readonly verbose?: boolean;
  readonly exact?: boolean;
}

/** Exit codes where nothing was started: as for bad input, and as for a job that was cancelled. */
const NOT_STARTED = { problems: 2, nothing: 3 } as const;

/** `ferry run` */
export function runCommand(): Command {
  return withPreflightFlags(withJobFlags(new Command('run')))
    .description('check, plan and run a migration in this process, with a worker and if need be Temporal')
    .option('--exact', 'plan exactly: compare every record with the target before the question')
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
  const settings = readEnvironment({ useStack: options.stack ?? false });
  for (const warning of settings.warnings) console.error(pc.yellow(`! ${warning}`));
  const input = jobOf(settings, options);
  const interruption = openInterruption();
  try {
    const say = ({ message }: Progress): void => console.error(pc.dim(`Temporal: ${message}`));
    const temporal = await openTemporal(settings, say, interruption.signal);
    const stop = () => temporal.stop().catch(sayStillUp);
    interruption.onForce = stop;
    try {
      await runWith(temporal, input, options, interruption.signal);
    } finally {
      await stop();
    }
  } catch (error) {
    // What breaks because of Ctrl-C is no news.
    if (!interruption.signal.aborted) throw error;
  } finally {
    interruption.close();
    if (interruption.signal.aborted) process.exitCode = interruption.exitCode;
  }
}

/** Also after Ctrl-C: whoever pressed it believes that all has ended. */
function sayStillUp(error: unknown): void {
  const reason = error instanceof Error ? error.message : String(error);
  console.error(`Temporal could not be stopped: ${reason}\nIt may still run; \`ferry stack down\` ends it.`);
}

/** @throws InputError naming all that is wrong with the settings and --yes, before anything is started */
function jobOf(settings: Environment, options: RunOptions): MigrationInput {
  const specify = (read: Environment): MigrationInput => ({
    name: options.name ?? defaultJobName(read),
    specification: jobSpecification(read, options),
  });
  checkRun(settings, specify, () => checkConsent(options));
  return specify(settings);
}

function checkConsent({ yes }: RunOptions): void {
  if (yes === true || canAsk()) return;
  throw new InputError(['--yes: there is no terminal to ask on; add --yes to start without being asked.']);
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
    const pause = isOpen ? await pauseOf(client, input.name) : null;
    const foreseen = await foresee(temporal.environment, input, { ...options, isOpen, pause, signal });
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

/** Without --verbose the worker says no more than warnings: progress is what the terminal is for. */
function quietly(environment: Environment, { verbose }: RunOptions): Environment {
  const level = environment.values['WORKER_LOG_LEVEL'];
  if (verbose === true || level === 'ERROR') return environment;
  return { ...environment, values: { ...environment.values, WORKER_LOG_LEVEL: 'WARN' } };
}
