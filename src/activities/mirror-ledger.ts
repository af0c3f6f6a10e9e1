import { ApplicationFailure, Context } from '@temporalio/activity';
import type { LedgerUpdate } from '../job/job.ts';
import { Fault } from '../errors.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Source, TableSpec } from '../source/source.ts';

/** An attempt has 10 s; the ids, for reference only, may take this much of it. */
const MAX_SCAN_MS = 3_000;

/** More ids than a batch plans for are not listed: the column is for reference only. */
const MAX_IDS = 2_000;

/**
 * Writes what a workflow reports into the ledger. Every failure is retryable: the server repeats the call until the
 * ledger is back, and the migration goes on meanwhile.
 */
export async function mirrorLedger(
  ledger: Ledger,
  source: Source,
  { table, update }: { table: TableSpec; update: LedgerUpdate },
): Promise<void> {
  const signal = Context.current().cancellationSignal;
  try {
    const scanning = AbortSignal.any([signal, AbortSignal.timeout(MAX_SCAN_MS)]);
    const recordIds = await scanRecordIds(source, table, update, scanning);
    await ledger.apply(update, recordIds, signal);
  } catch (error) {
    const code = error instanceof Fault ? error.code : 'unexpected';
    const message = error instanceof Fault ? error.message : 'The ledger could not be written.';
    throw ApplicationFailure.create({ message, type: code, category: 'BENIGN' });
  }
}

/** The ids of every batch that has ended, read from the source again: histories do not carry them. */
async function scanRecordIds(
  source: Source,
  table: TableSpec,
  update: LedgerUpdate,
  signal: AbortSignal,
): Promise<Map<number, readonly string[]>> {
  const recordIds = new Map<number, readonly string[]>();
  for (const report of update.batches) {
    if (report.status === 'processing' || report.firstId === null || report.lastId === null) continue;
    const range = { after: BigInt(report.firstId) - 1n, upTo: BigInt(report.lastId) };
    try {
      const ids = await source.ids(table, range, MAX_IDS, signal);
      recordIds.set(report.batch, ids.map(String));
    } catch {
      // An outage of the source, or a slow one, must not hold up the ledger.
      return recordIds;
    }
  }
  return recordIds;
}
