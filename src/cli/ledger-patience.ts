import type { Snapshot } from '../client/snapshot.ts';
import { endedBatches } from '../job/outcome.ts';

/** Tells how long a job has been open for its ledger alone; for one who need not wait for that. */
export class LedgerPatience {
  readonly #limitMs: number;
  #since: number | null = null;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Takes the next look at the job, made at `now` (milliseconds). @returns whether the ledger's time is over */
  isOverAt(now: number, snapshot: Snapshot): boolean {
    const isLedgerLeft = leavesLedger(snapshot);
    // A partition that did not answer in time says nothing.
    if (isLedgerLeft === null) return false;
    if (!isLedgerLeft) this.#since = null;
    else this.#since ??= now;
    return this.#since !== null && now - this.#since >= this.#limitMs;
  }
}

/** Whether all batches have ended and the ledger does not know of it; null if that is not known. */
function leavesLedger({ isOpen, phase, plan, totals, unmirrored }: Snapshot): boolean | null {
  if (!isOpen) return false;
  // The root's own reports are not counted among the unmirrored.
  if (phase === 'ended') return true;
  if (phase === null || (plan !== null && totals === null)) return null;
  if (plan === null || totals === null) return false;
  return endedBatches(totals) === plan.batches && (unmirrored ?? 0) > 0;
}
