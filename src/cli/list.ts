import { Command } from 'commander';
import { listMigrations } from '../client/list.ts';
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
        else if (runs.length === 0) console.log('No jobs yet; `ferry start` starts one.');
        for (const run of options.json === true ? [] : runs) {
          console.log([run.name, run.execution, run.startedAt, run.endedAt ?? '-', run.jobId].join('\t'));
        }
      }),
    );
}
