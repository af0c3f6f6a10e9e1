import pc from 'picocolors';
import { inquireLocally } from '../client/inquire-locally.ts';
import type { OpenPause } from '../client/open-pause.ts';
import { usdPerMillionTokens, type Environment } from '../config.ts';
import type { MigrationInput } from '../job/job.ts';
import { confirm } from './confirm.ts';
import { sayWait } from './inquiry-flags.ts';
import { planText } from './plan-render.ts';
import { hasProblem } from './preflight.ts';
import { findingLines, sumLine } from './preflight-render.ts';
import { COMPARING, SAMPLING, tellIfSlow } from './slow-note.ts';

/** What `ferry run` shows before it starts, and how it asks. */
export interface ForeseeOptions {
  readonly yes?: boolean | undefined;
  readonly json?: boolean | undefined;
  /** Whether to look first whether all that the job needs is there. @default true */
  readonly preflight?: boolean | undefined;
  /** Whether the plan compares every record with the target. */
  readonly exact?: boolean | undefined;
  /** Whether a run of that name is open and goes on instead of a new one. */
  readonly isOpen: boolean;
  /** Why that run is paused; null if it is not. */
  readonly pause: OpenPause | null;
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
  { yes = false, json = false, exact = false, preflight = true, isOpen, pause, signal }: ForeseeOptions,
): Promise<Foreseen> {
  const asking = { signal, onWait: sayWait };
  if (preflight) {
    const looking = inquireLocally(environment, 'preflight', { specification }, asking);
    const report = await tellIfSlow(looking, SAMPLING, { json });
    if (json) console.log(JSON.stringify({ preflight: report }));
    else {
      for (const line of findingLines(report.checks)) console.error(line);
      console.log(`Preflight: ${sumLine(report.checks)}`);
    }
    if (hasProblem(report.checks)) {
      console.error('Nothing was started. Mend that, or run as it is with --no-preflight.');
      return 'problems';
    }
  }
  if (isOpen) {
    console.error(`A run of ${name} is open; it goes on with what is left.`);
    // Somebody may have had a reason: not even --yes is to undo it unseen.
    if (pause !== null) {
      console.error(pc.yellow(`It is paused since ${pause.since}, ${pause.reason}; this ends the pause.`));
    }
  } else {
    const question = {
      specification,
      isExact: exact,
      usdPerMillionTokens: usdPerMillionTokens(environment),
    };
    const planning = inquireLocally(environment, 'plan', question, asking);
    const plan = await tellIfSlow(planning, exact ? COMPARING : SAMPLING, { json });
    console.log(json ? JSON.stringify({ plan }) : planText(name, plan, specification));
  }
  if (yes || (await confirm(isOpen ? 'Go on? [y/N] ' : 'Start? [y/N] ', signal))) return 'start';
  console.error('Nothing was started.');
  return 'nothing';
}
