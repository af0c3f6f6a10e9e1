import { Command } from 'commander';
import { connectTemporal } from '../client/connect.ts';
import { ledgerFailure } from '../client/ledger-failure.ts';
import { locateRecord, type RecordPlace } from '../client/locate.ts';
import { temporalLink } from '../client/temporal-link.ts';
import { defaultJobName, jobSpecification, temporalConfig, type Environment } from '../config.ts';
import { recordIdOf } from '../inquiry/inspect.ts';
import type { InspectInput } from '../job/inquiry.ts';
import { inspection, type Located } from './inspect-render.ts';
import { runInquiry, withInquiryFlags, type InquiryFlags } from './inquiry-flags.ts';

interface InspectOptions extends InquiryFlags {
  readonly content?: boolean;
  readonly name?: string;
}

/** `ferry inspect` */
export function inspectCommand(): Command {
  const command = new Command('inspect')
    .description('show one record: its row, its points, and its batch in Temporal')
    .argument('<record>', 'record id')
    .option('--content', 'with the texts of the points')
    .option('--name <name>', 'job whose batch is looked for (default: <table>-to-<collection>)');
  return withInquiryFlags(command)
    .addHelpText(
      'after',
      `
States: exact, outdated (the next run writes it again), missing (it has no points yet), absent (nothing, and nothing
expected), orphaned (points without a row; --prune deletes them), filtered (the row does not meet MYSQL_FILTER).
The answer may hold content: once it is here Temporal is asked to delete it, which takes the server some minutes.
Exit codes: 0 whatever the state, 1 a service is out, 2 bad input or settings.

Examples:
  $ ferry inspect 1745000000000002683
  $ ferry inspect 1745000000000002683 --content --json`,
    )
    .action(async (record: string, { content = false, name, ...flags }: InspectOptions) => {
      const question = (environment: Environment): InspectInput => ({
        recordId: String(recordIdOf(record)),
        specification: jobSpecification(environment, {}),
        withContent: content,
      });
      const { answer, environment } = await runInquiry('inspect', flags, question);
      const located = await locate(environment, name ?? defaultJobName(environment), answer.recordId);
      console.log(
        flags.json === true ? JSON.stringify({ ...answer, ...located }) : inspection(answer, located),
      );
    });
}

/** What Temporal and else the ledger know; with --local Temporal may be out of reach. */
async function locate(environment: Environment, name: string, recordId: string): Promise<Located> {
  let place: RecordPlace | null = null;
  let problem: string | null = null;
  let link: string | null = null;
  try {
    const { client, close } = await connectTemporal(temporalConfig(environment));
    try {
      place = await locateRecord(client, name, recordId);
      const linked = place?.batch?.runId == null ? null : place.batch;
      const workflowId = linked?.workflowId ?? place?.workflowId;
      const runId = linked === null ? place?.runId : linked.runId;
      if (workflowId !== undefined) link = temporalLink(environment)(workflowId, runId);
    } finally {
      await close();
    }
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  // A batch that has ended well has said all there is.
  const isSettled = place?.batch?.status === 'completed';
  const lastFailure = isSettled ? null : await ledgerFailure(environment, { name, recordId });
  return { name, place, link, problem, lastFailure };
}
