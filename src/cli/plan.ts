import { Command } from 'commander';
import { defaultJobName, jobSpecification, usdPerMillionTokens } from '../config.ts';
import { runInquiry, withInquiryFlags, type InquiryFlags } from './inquiry-flags.ts';
import { withJobFlags, type JobFlags } from './job-flags.ts';
import { planText } from './plan-render.ts';
import { COMPARING, SAMPLING, tellIfSlow } from './slow-note.ts';

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
Without --exact it reads a sample, and counts as if nothing were migrated yet: where the collection already holds points
of the table that is "at most". With --exact it reads every record and counts what is left, which takes about as long as
the job without its embeddings. Texts, tokens and cost are always "at most": equal texts of a request are embedded once.
A time is told where OPENAI_RPM, OPENAI_TPM or the service's headers give a limit.
Exit codes: 0 planned, 1 a service is out, 2 bad input or settings.

Examples:
  $ ferry plan
  $ ferry plan --exact --prune       # what has changed since the last run
  $ ferry plan --limit 1000 --json`,
    )
    .action(async (options: PlanOptions) => {
      const isExact = options.exact === true;
      const asked = runInquiry('plan', options, (read) => ({
        specification: jobSpecification(read, options),
        isExact,
        usdPerMillionTokens: usdPerMillionTokens(read),
      }));
      const { answer, environment } = await tellIfSlow(asked, isExact ? COMPARING : SAMPLING, options);
      const name = options.name ?? defaultJobName(environment);
      console.log(
        options.json === true
          ? JSON.stringify(answer)
          : planText(name, answer, jobSpecification(environment, options)),
      );
    });
}
