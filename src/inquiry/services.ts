import type { Ledger } from '../ledger/ledger.ts';
import type { ReconcileServices } from '../reconcile/reconcile.ts';

/** What inquiries look at; `ledger` is null where no Supabase is configured. */
export interface InquiryServices extends ReconcileServices {
  readonly ledger: Ledger | null;
}
