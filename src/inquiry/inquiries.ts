import type { Inquiries } from '../job/inquiry.ts';
import type { Attempt } from '../reconcile/patience.ts';
import { inspect } from './inspect.ts';
import { plan } from './plan.ts';
import { preflight } from './preflight.ts';
import { search } from './search.ts';
import type { InquiryServices } from './services.ts';

/** Each inquiry under the rules of an attempt: it may be stopped, and says what it waits for. */
export type AttemptedInquiries = {
  readonly [Name in keyof Inquiries]: (
    input: Parameters<Inquiries[Name]>[0],
    attempt: Attempt,
  ) => ReturnType<Inquiries[Name]>;
};

/** The inquiries on a set of services: on a worker, or in the process that asks. They write nothing. */
export function createInquiries(services: InquiryServices): AttemptedInquiries {
  return {
    preflight: (input, attempt) => preflight(services, input, attempt),
    plan: (input, attempt) => plan(services, input, attempt),
    search: (input, attempt) => search(services, input, attempt),
    inspect: (input, attempt) => inspect(services, input, attempt),
  };
}
