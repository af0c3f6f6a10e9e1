import { Command } from 'commander';
import { snapshotMigration } from '../client/snapshot.ts';
import { AlreadyOpenError, startMigration } from '../client/start.ts';
import { jobSpecification } from '../config.ts';
import { follow } from './follow.ts';
import { jobArgument } from './job-argument.ts';
import { withJobFlags, withPreflightFlags, type JobFlags, type PreflightFlags } from './job-flags.ts';
import { preflightBeforeStart } from './preflight.ts';
import { summary } from './render.ts';
import { withSession, type CommonFlags } from './session.ts';

interface StartOptions extends CommonFlags, JobFlags, PreflightFlags {
  readonly attach?: boolean;
  readonly detach?: boolean;
}

/** `ferry start` */
export function startCommand(): Command {
  const command = withJobFlags(new Command('start'))
    .description('start a migration and follow it')
    .option('--attach', 'follow the open run of that name if there is one')
    .option('--detach', 'return as soon as the job is started');
  return withPreflightFlags(command)
    .option('--stack', 'use the local stack whatever the environment says')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
A preflight runs first, on a worker; a problem that it finds starts nothing.
Exit codes: 0 completed, 1 failed records or batches, 2 bad input or a problem found by preflight, 3 cancelled.

Examples:
  $ ferry start --limit 100          # look at a hundred records first
  $ ferry start                      # everything; finished records cost a look-up
  $ ferry start --prune --detach     # in the background, deleting points of deleted rows`,
    )
    .action(async (options: StartOptions) => {
      await withSession(
        options,
        options.name,
        async ({ client, environment, name }) => {
          const specification = jobSpecification(environment, options);
          if (options.preflight !== false && !(await preflightBeforeStart(client, { name, specification }))) {
            process.exitCode = 2;
            return;
          }
          try {
            const { jobId, isNew } = await startMigration(client, { name, specification }, options);
            const follows = options.detach !== true && (options.attach === true || process.stdout.isTTY);
            if (!follows && options.json === true) console.log(JSON.stringify({ name, jobId, isNew }));
            if (options.json !== true)
              console.log(`${isNew ? 'Started' : 'Attached to'} ${name} (job ${jobId}).`);
            if (follows) process.exitCode = await follow(client, name, options);
            else if (options.json !== true)
              console.log(`Follow it with \`ferry watch ${jobArgument(name)}\`.`);
          } catch (error) {
            if (!(error instanceof AlreadyOpenError)) throw error;
            const snapshot = await snapshotMigration(client, name);
            console.error(error.message);
            console.log(options.json === true ? JSON.stringify(snapshot) : summary(snapshot));
            process.exitCode = 2;
          }
        },
        (environment) => jobSpecification(environment, options),
      );
    });
}
