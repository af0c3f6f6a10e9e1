import { Command } from 'commander';
import { defaultJobName, jobSpecification, usdPerMillionTokens } from '../config.ts';
import { runInquiry, withInquiryFlags, type InquiryFlags } from './inquiry-flags.ts';
import { withJobFlags, type JobFlags } from './job-flags.ts';
import { planText } from './plan-render.ts';

interface PlanOptions extends InquiryFlags, JobFlags {
  readonly exact?: boolean;
}

/** `ferry plan` */
export function planCommand(): Command {
  const command = withJobFlags(new Command('plan'))
    .description('tell what a job would do, cost and need; nothing is written or paid')
    .option('--exact', 'compare every record with the target instead of estimating from a sample');
  return withInquiryFlags(command)
    .addHelpText(
      'after',
      `
Without --exact it reads a sample, and counts as if nothing were migrated yet. With --exact it reads every record, which
takes about as long as the job without its embeddings.
Exit codes: 0 planned, 1 a service is out, 2 bad input or settings.

Examples:
  $ ferry plan
  $ ferry plan --exact --prune       # what has changed since the last run
  $ ferry plan --limit 1000 --json`,
    )
    .action(async (options: PlanOptions) => {
      const { answer, environment } = await runInquiry('plan', options, (read) => ({
        specification: jobSpecification(read, options),
        isExact: options.exact === true,
        usdPerMillionTokens: usdPerMillionTokens(read),
      }));
      const name = options.name ?? defaultJobName(environment);
      console.log(
        options.json === true
          ? JSON.stringify(answer)
          : planText(name, answer, jobSpecification(environment, options)),
      );
    });
}
