import { Command } from 'commander';
import { listMigrations } from '../client/list.ts';
import { listTable } from './list-table.ts';
import { withSession, type CommonFlags } from './session.ts';

/** `ferry list` */
export function listCommand(): Command {
  return new Command('list')
    .description('list the runs that Temporal still keeps, newest first')
    .option('--stack', 'use the local stack whatever the environment says')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  $ ferry list\n  $ ferry list --json')
    .action((options: CommonFlags) =>
      withSession(options, undefined, async ({ client }) => {
        const runs = await listMigrations(client);
        if (options.json === true) console.log(JSON.stringify(runs));
        else console.log(runs.length === 0 ? 'No jobs yet; `ferry start` starts one.' : listTable(runs));
      }),
    );
}
