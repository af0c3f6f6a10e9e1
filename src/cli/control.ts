import type { Client } from '@temporalio/client';
import { Command } from 'commander';
import { cancelMigration, pauseMigration, resumeMigration } from '../client/control.ts';
import { jobArgument } from './job-argument.ts';
import { withSession, type CommonFlags } from './session.ts';

/** `ferry pause` */
export function pauseCommand(): Command {
  return controlCommand(
    'pause',
    'start no further batch; batches in hand end normally',
    pauseMigration,
    (name) => `${name} pauses; go on with \`ferry resume ${jobArgument(name)}\`.`,
  );
}

/** `ferry resume` */
export function resumeCommand(): Command {
  return controlCommand('resume', 'go on with a paused job', resumeMigration, (name) => `${name} goes on.`);
}

/** `ferry cancel` */
export function cancelCommand(): Command {
  return controlCommand(
    'cancel',
    'end a job; batches in hand finish the records they are at',
    cancelMigration,
    (name) => `${name} is being cancelled; \`ferry start\` goes on from here at any time.`,
  );
}

/** The request is recorded by the server at once, also while no worker runs. */
function controlCommand(
  verb: string,
  description: string,
  request: (client: Client, name: string) => Promise<void>,
  done: (name: string) => string,
): Command {
  return new Command(verb)
    .description(description)
    .argument('[name]', 'name of the job (default: <table>-to-<collection>)')
    .option('--stack', 'use the local stack whatever the environment says')
    .option('--json', 'print JSON')
    .addHelpText('after', `\nExamples:\n  $ ferry ${verb}\n  $ ferry ${verb} ip_summary-to-memos`)
    .action((name: string | undefined, options: CommonFlags) =>
      withSession(options, name, async (session) => {
        await request(session.client, session.name);
        console.log(
          options.json === true
            ? JSON.stringify({ name: session.name, requested: verb })
            : done(session.name),
        );
      }),
    );
}
