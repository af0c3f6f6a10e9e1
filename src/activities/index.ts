import type { Activities } from '../job/job.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { ReconcileServices } from '../reconcile/reconcile.ts';
import { mirrorLedger } from './mirror-ledger.ts';
import { planBatches, planPartitions } from './plan.ts';
import { prepareTarget } from './prepare-target.ts';
import { reconcileBatch } from './reconcile-batch.ts';

/** What activities work with; `ledger` is null where no Supabase is configured. */
export interface ActivityServices extends ReconcileServices {
  readonly ledger: Ledger | null;
}

/**
 * The activities of the task queue `vector-ferry`.
 *
 * @param identity of the worker, shown in outcomes
 */
export function createActivities(
  services: ActivityServices,
  identity: string,
): Omit<Activities, 'mirrorLedger'> {
  return {
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
}: ActivityServices): Pick<Activities, 'mirrorLedger'> {
  return {
    mirrorLedger: async (input) => {
      if (ledger !== null) await mirrorLedger(ledger, source, input);
    },
  };
}
