import type { Command } from 'commander';
import pc from 'picocolors';
import { connectTemporal } from '../client/connect.ts';
import { inquireLocally } from '../client/inquire-locally.ts';
import { inquireOnWorker, type Answer, type Question } from '../client/inquire.ts';
import { interrupted } from '../client/inquiry-error.ts';
import { checkJob, checkLocal, defaultJobName, temporalConfig, type Environment } from '../config.ts';
import type { Inquiry } from '../job/inquiry.ts';
import { openInterruption } from './interruption.ts';
import { announcedEnvironment, type CommonFlags } from './session.ts';

/** Flags that every inquiry has. */
export interface InquiryFlags extends CommonFlags {
  /** Asks in this process instead of on a worker. */
  readonly local?: boolean;
}

/** Adds the flags of {@link InquiryFlags} to a command. */
export function withInquiryFlags(command: Command): Command {
  return command
    .option('--local', 'ask from this machine instead of on a worker; needs no Temporal')
    .option('--stack', 'use the local stack whatever the environment says')
    .option('--json', 'print JSON');
}

/**
 * Asks a question, on a worker or with --local in this process. What the answer waits for is said on stderr; Ctrl-C
 * withdraws the question.
 *
 * @param question made from the settings, before anything is connected
 * @returns the answer, and the settings that it was asked with
 * @throws InputError if settings or the question are malformed, or no worker polls
 * @throws InquiryError if the question is not answered
 */
export async function runInquiry<Name extends Inquiry>(
  inquiry: Name,
  flags: InquiryFlags,
  question: (environment: Environment) => Question<Name>,
): Promise<{ answer: Answer<Name>; environment: Environment }> {
  const environment = announcedEnvironment(flags, (read) => {
    if (flags.local === true) checkLocal(read, question);
    else checkJob(read, question);
  });
  const asked = question(environment);
  const answer = await interruptibly(async (signal) => {
    const asking = { signal, onWait: sayWait };
    if (flags.local === true) return inquireLocally(environment, inquiry, asked, asking);
    const { client, close } = await connectTemporal(temporalConfig(environment));
    try {
      return await inquireOnWorker(client, inquiry, defaultJobName(environment), asked, asking);
    } finally {
      await close();
    }
  });
  return { answer, environment };
}

/**
 * Asks until Ctrl-C, a signal or the end of whoever reads: an answer with content that nobody fetches would stay in
 * Temporal, and a workflow that nobody waits for would stay open.
 *
 * @throws InquiryError with the exit code of the interruption, if there was one
 */
export async function interruptibly<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = openInterruption();
  try {
    return await ask(interruption.signal);
  } catch (error) {
    throw interruption.signal.aborted ? interrupted(interruption.exitCode) : error;
  } finally {
    interruption.close();
  }
}

/** Says on stderr what an answer waits for. */
export function sayWait(reason: string | null): void {
  if (reason === 'free_slot') console.error(pc.yellow('waiting for a free slot: all workers are busy …'));
  else if (reason !== null) console.error(pc.yellow(`waiting: ${reason} …`));
}
