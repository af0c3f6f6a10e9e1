import { Command, InvalidArgumentError } from 'commander';
import { snapshotMigration } from '../client/snapshot.ts';
import { AlreadyOpenError, startMigration } from '../client/start.ts';
import { jobSpecification } from '../config.ts';
import { follow } from './follow.ts';
import { summary } from './render.ts';
import { withSession, type CommonFlags } from './session.ts';

interface StartOptions extends CommonFlags {
  readonly name?: string;
  readonly limit?: number;
  readonly prune?: boolean;
  readonly batchSize?: string;
  readonly concurrency?: string;
  readonly attach?: boolean;
  readonly detach?: boolean;
}

/** `ferry start` */
export function startCommand(): Command {
  return new Command('start')
    .description('start a migration and follow it')
    .option('--name <name>', 'name of the job (default: <table>-to-<collection>)')
    .option('--limit <n>', 'only the N lowest ids that pass the filter', positive)
    .option('--prune', 'delete points of rows that the table no longer has')
    .option('--batch-size <n>', 'records of a batch (BATCH_SIZE)')
    .option('--concurrency <n>', 'batches in hand at once (MAX_WORKERS)')
    .option('--attach', 'follow the open run of that name if there is one')
    .option('--detach', 'return as soon as the job is started')
    .option('--stack', 'use the local stack whatever the environment says')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit codes: 0 completed, 1 failed records or batches, 2 bad input, 3 cancelled.

Examples:
  $ ferry start --limit 100          # look at a hundred records first
  $ ferry start                      # everything; finished records cost a look-up
  $ ferry start --prune --detach     # in the background, deleting points of deleted rows`,
    )
    .action(async (options: StartOptions) => {
      await withSession(options, options.name, async ({ client, environment, name }) => {
        const specification = jobSpecification(environment, options);
        try {
          const { jobId, isNew } = await startMigration(client, { name, specification }, options);
          const follows = options.detach !== true && (options.attach === true || process.stdout.isTTY);
          if (!follows && options.json === true) console.log(JSON.stringify({ name, jobId, isNew }));
          if (options.json !== true)
            console.log(`${isNew ? 'Started' : 'Attached to'} ${name} (job ${jobId}).`);
          if (follows) process.exitCode = await follow(client, name, options);
          else if (options.json !== true) console.log(`Follow it with \`ferry watch ${name}\`.`);
        } catch (error) {
          if (!(error instanceof AlreadyOpenError)) throw error;
          const snapshot = await snapshotMigration(client, name);
          console.error(error.message);
          console.log(options.json === true ? JSON.stringify(snapshot) : summary(snapshot));
          process.exitCode = 2;
        }
      });
    });
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('Expected a whole number from 1.');
  return value;
}
