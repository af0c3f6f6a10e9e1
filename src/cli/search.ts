import { Command, InvalidArgumentError, Option } from 'commander';
import { jobSpecification, type Environment } from '../config.ts';
import { checkSearch } from '../inquiry/search.ts';
import type { SearchInput } from '../job/inquiry.ts';
import { runInquiry, withInquiryFlags, type InquiryFlags } from './inquiry-flags.ts';
import { hitList } from './search-render.ts';

interface SearchOptions extends InquiryFlags {
  readonly mode: SearchInput['mode'];
  readonly tenant?: string;
  readonly parents?: boolean;
  readonly limit: number;
}

/** `ferry search` */
export function searchCommand(): Command {
  const command = new Command('search')
    .description('search what has been migrated; by meaning, one text is embedded and paid')
    .argument('<text>', 'what to search for')
    .addOption(
      new Option('--mode <mode>', 'by meaning and words, by meaning, by words')
        .choices(['hybrid', 'dense', 'sparse'])
        .default('hybrid'),
    )
    .option('--tenant <tenant>', 'only records of this tenant')
    .option('--parents', 'the parents of what is found, with the positions of the children')
    .option('--limit <n>', 'most hits', hits, 10);
  return withInquiryFlags(command)
    .addHelpText(
      'after',
      `
The answer holds text of rows: once it is here Temporal is asked to delete it, which takes the server some minutes.
Exit codes: 0 also if nothing is found, 1 a service is out, 2 bad input or settings.

Examples:
  $ ferry search "how are retries configured"
  $ ferry search "倒数排名" --mode sparse      # by words alone: nothing is paid
  $ ferry search "invoice 4711" --tenant acme --parents --json`,
    )
    .action(async (text: string, { mode, tenant, parents = false, limit, ...flags }: SearchOptions) => {
      const question = (environment: Environment): SearchInput => {
        const asked = { text, mode, limit, tenant: tenant ?? null, parents };
        checkSearch(asked);
        return { specification: jobSpecification(environment, {}), ...asked };
      };
      const { answer } = await runInquiry('search', flags, question);
      console.log(flags.json === true ? JSON.stringify(answer) : hitList(answer));
    });
}

function hits(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(text);
}
