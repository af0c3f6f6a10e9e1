import { proxyActivities } from '@temporalio/workflow';
import type {
  Inquiries,
  InspectInput,
  InspectReport,
  PlanInput,
  PlanReport,
  PreflightInput,
  PreflightReport,
  SearchInput,
  SearchReport,
} from '../job/inquiry.ts';
import { INQUIRY_OPTIONS } from './options.ts';

/*
 * Inquiries: workflows so that they run where the servers are reachable. Each is one activity: whoever asks sees what
 * went wrong and asks again.
 */

const activities = proxyActivities<Inquiries>(INQUIRY_OPTIONS);

/** Looks at everything that a job needs. */
export async function preflight(input: PreflightInput): Promise<PreflightReport> {
  return activities.preflight(input);
}

/** Tells what a job would do and cost. */
export async function plan(input: PlanInput): Promise<PlanReport> {
  return activities.plan(input);
}

/** Searches what has been migrated. */
export async function search(input: SearchInput): Promise<SearchReport> {
  return activities.search(input);
}

/** Shows one record, in the source and in the target. */
export async function inspect(input: InspectInput): Promise<InspectReport> {
  return activities.inspect(input);
}
