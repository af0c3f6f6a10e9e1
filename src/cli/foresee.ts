import { inquireLocally } from '../client/inquire-locally.ts';
import { usdPerMillionTokens, type Environment } from '../config.ts';
import type { MigrationInput } from '../job/job.ts';
import { confirm } from './confirm.ts';
import { sayWait } from './inquiry-flags.ts';
import { planText } from './plan-render.ts';
import { hasProblem } from './preflight.ts';
import { preflightTable, sumLine } from './preflight-render.ts';

/** What `ferry run` shows before it starts, and how it asks. */
export interface ForeseeOptions {
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
  /** Whether a run of that name is open and goes on instead of a new one. */
  readonly isOpen: boolean;
  readonly signal: AbortSignal;
}

/** `nothing` where somebody did not confirm; `problems` where preflight found some. */
export type Foreseen = 'start' | 'nothing' | 'problems';

/**
 * Looks before anything is started or paid: preflight, plan and the question whether to start, all from this process.
 *
 * @throws InquiryError if one of them cannot be answered
 */
export async function foresee(
  environment: Environment,
  { name, specification }: MigrationInput,
  { yes = false, json = false, isOpen, signal }: ForeseeOptions,
): Promise<Foreseen> {
  const asking = { signal, onWait: sayWait };
  const report = await inquireLocally(environment, 'preflight', { specification }, asking);
  const isFine = report.checks.every(({ status }) => status === 'ok');
  if (json) console.log(JSON.stringify({ preflight: report }));
  else console.log(isFine ? `Preflight: ${sumLine(report.checks)}` : preflightTable(report));
  if (hasProblem(report.checks)) {
    console.error('Nothing was started: mend what preflight found first.');
    return 'problems';
  }
  if (isOpen) console.error(`A run of ${name} is open; it goes on with what is left.`);
  else {
    const question = {
      specification,
      isExact: false,
      usdPerMillionTokens: usdPerMillionTokens(environment),
    };
    const plan = await inquireLocally(environment, 'plan', question, asking);
    console.log(json ? JSON.stringify({ plan }) : planText(name, plan, specification));
  }
  if (yes || (await confirm(isOpen ? 'Go on? [y/N] ' : 'Start? [y/N] ', signal))) return 'start';
  console.error('Nothing was started.');
  return 'nothing';
}
