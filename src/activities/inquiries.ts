import { ApplicationFailure } from '@temporalio/activity';
import { InputError } from '../errors.ts';
import { createInquiries } from '../inquiry/inquiries.ts';
import type { InquiryServices } from '../inquiry/services.ts';
import { asReported, INQUIRY_PATIENCE_MS } from '../inquiry/patience.ts';
import type { Inquiries } from '../job/inquiry.ts';
import type { JobSpecification } from '../job/specification.ts';
import { runAttempt } from './attempt.ts';

/** Often, so that the one who waits sees what for. */
const HEARTBEAT_MS = 5_000;

/** The inquiries as activities: heartbeats, cancellation and failures as for every other. */
export function createInquiryActivities(services: InquiryServices): Inquiries {
  const inquiries = createInquiries(services);
  const attempted =
    <Input extends { readonly specification: JobSpecification }, Answer>(
      inquire: (input: Input, attempt: Parameters<Parameters<typeof runAttempt>[1]>[0]) => Promise<Answer>,
    ) =>
    (input: Input): Promise<Answer> => {
      const { specification } = input;
      const patienceMs = Math.min(specification.patienceMs, INQUIRY_PATIENCE_MS);
      return runAttempt({ ...specification, heartbeatIntervalMs: HEARTBEAT_MS, patienceMs }, (attempt) =>
        inquire(input, attempt).catch((error: unknown) => {
          throw asFailure(asReported(error));
        }),
      );
    };
  return {
    preflight: attempted(inquiries.preflight),
    plan: attempted(inquiries.plan),
    search: attempted(inquiries.search),
    inspect: attempted(inquiries.inspect),
  };
}

/** What is wrong with the question itself goes back to the one who asked, by name. */
function asFailure(error: unknown): unknown {
  return error instanceof InputError ? ApplicationFailure.nonRetryable(error.message, error.name) : error;
}
