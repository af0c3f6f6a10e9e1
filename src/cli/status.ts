import { Command } from 'commander';
import { snapshotMigration } from '../client/snapshot.ts';
import { ledgerJob } from '../client/ledger-job.ts';
import { temporalLink } from '../client/temporal-link.ts';
import { many, whole } from './quantities.ts';
import { summary } from './render.ts';
import { withSession, type CommonFlags } from './session.ts';

/** `ferry status` */
export function statusCommand(): Command {
  return new Command('status')
    .description('show a job as it is now; without a worker, what the server and the ledger know')
    .argument('[name]', 'name of the job (default: <table>-to-<collection>)')
    .option('--stack', 'use the local stack whatever the environment says')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExamples:\n  $ ferry status\n  $ ferry status --json | jq .totals.failed')
    .action((name: string | undefined, options: CommonFlags) =>
      withSession(options, name, async (session) => {
        const snapshot = await snapshotMigration(session.client, session.name);
        const ledger = snapshot.status === 'unknown' ? await ledgerJob(session.environment, snapshot) : null;
        if (options.json === true) console.log(JSON.stringify({ ...snapshot, ledger }));
        else {
          const link = temporalLink(session.environment)(snapshot.workflowId);
          console.log(summary(snapshot));
          if (link !== null) console.log(`  see      ${link}`);
          if (ledger !== null) {
            console.log(
              `  ledger   ${ledger.status}: ${whole(ledger.completedBatches)} of ${many(ledger.totalBatches, 'batch', 'batches')}, ${whole(ledger.processedRecords)} of ${many(ledger.totalRecords, 'record')}, as of ${ledger.updatedAt}`,
            );
          }
        }
      }),
    );
}
