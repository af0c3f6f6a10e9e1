import { Command } from 'commander';
import { follow } from './follow.ts';
import { withSession, type CommonFlags } from './session.ts';

/** `ferry watch` */
export function watchCommand(): Command {
  return new Command('watch')
    .description('follow a job to its end; Ctrl-C detaches')
    .argument('[name]', 'name of the job (default: <table>-to-<collection>)')
    .option('--stack', 'use the local stack whatever the environment says')
    .option('--json', 'print a line of JSON every ten seconds')
    .addHelpText('after', '\nExamples:\n  $ ferry watch\n  $ ferry watch ip_summary-to-memos --json')
    .action((name: string | undefined, options: CommonFlags) =>
      withSession(options, name, async (session) => {
        process.exitCode = await follow(session.client, session.name, options);
      }),
    );
}
