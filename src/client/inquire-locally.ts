import { hostname } from 'node:os';
import type { Environment } from '../config.ts';
import { asReported, INQUIRY_PATIENCE_MS } from '../inquiry/patience.ts';
import { createInquiries, type AttemptedInquiries } from '../inquiry/inquiries.ts';
import type { Inquiry } from '../job/inquiry.ts';
import { createServices } from '../services.ts';
import type { Answer, Asking, Question } from './inquire.ts';
import { asInquiryError, interrupted } from './inquiry-error.ts';

/**
 * Answers a question in this process, from where it stands; Temporal is not needed.
 *
 * @throws InputError if settings are missing or malformed, or the question is
 * @throws InquiryError under the fault's code
 */
export async function inquireLocally<Name extends Inquiry>(
  environment: Environment,
  inquiry: Name,
  question: Question<Name>,
  { signal = new AbortController().signal, onWait }: Asking = {},
): Promise<Answer<Name>> {
  const services = createServices(environment, `${process.pid}@${hostname()}`);
  // The table of functions loses which question goes with which.
  const ask = createInquiries(services)[inquiry] as (
    question: Question<Name>,
    attempt: Parameters<AttemptedInquiries[Name]>[1],
  ) => Promise<Answer<Name>>;
  let told: string | null = null;
  try {
    return await ask(question, {
      signal,
      stop: signal,
      patienceMs: INQUIRY_PATIENCE_MS,
      progressed: () => undefined,
      waiting: (reason) => {
        if (reason !== told) onWait?.(reason);
        told = reason;
      },
    });
  } catch (error) {
    throw signal.aborted ? interrupted() : asInquiryError(asReported(error));
  } finally {
    const closed = services.close();
    // A server that has not even taken the connection up is not waited for.
    if (!signal.aborted) await closed;
  }
}
