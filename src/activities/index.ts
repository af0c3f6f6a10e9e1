import type { Activities } from '../job/job.ts';
import type { Inquiries } from '../job/inquiry.ts';
import type { InquiryServices } from '../inquiry/services.ts';
import { createInquiryActivities } from './inquiries.ts';
import { mirrorLedger } from './mirror-ledger.ts';
import { planBatches, planPartitions } from './plan.ts';
import { prepareTarget } from './prepare-target.ts';
import { reconcileBatch } from './reconcile-batch.ts';

/**
 * The activities of the task queue `vector-ferry`.
 *
 * @param identity of the worker, shown in outcomes
 */
export function createActivities(
  services: InquiryServices,
  identity: string,
): Omit<Activities, 'mirrorLedger'> & Inquiries {
  return {
    ...createInquiryActivities(services),
    prepareTarget: (input) => prepareTarget(services.target, services.ledger !== null, input),
    planPartitions: (input) => planPartitions(services.source, input),
    planBatches: (input) => planBatches(services.source, input),
    reconcileBatch: (input) => reconcileBatch(services, identity, input),
  };
}

/** The activity of the task queue `vector-ferry-ledger`; without a ledger there is nothing to mirror. */
export function createLedgerActivities({
  ledger,
  source,
}: InquiryServices): Pick<Activities, 'mirrorLedger'> {
  return {
    mirrorLedger: async (input) => {
      if (ledger !== null) await mirrorLedger(ledger, source, input);
    },
  };
}
