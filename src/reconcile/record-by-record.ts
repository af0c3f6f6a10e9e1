import type { FaultCode } from '../errors.ts';
import type { Suspicion, WritingAttempt } from './patience.ts';
import { reconcile, type ReconcileInput, type ReconcileResult, type ReconcileServices } from './reconcile.ts';
import { scanIds } from './scan-ids.ts';

/**
 * {@link reconcile} for a range in which some record kills its worker: the same operation over ranges of one record,
 * each announced before it begins. Records that are given up are listed as failed and keep the points they have.
 *
 * @throws as {@link reconcile}
 */
export async function reconcileRecordByRecord(
  input: ReconcileInput,
  services: ReconcileServices,
  attempt: WritingAttempt,
  suspicion: Suspicion,
): Promise<ReconcileResult> {
  const { table, range } = input;
  const results: ReconcileResult[] = [];
  const reconcilePart = async (after: bigint, upTo: bigint, pointsUpTo = upTo): Promise<void> => {
    const part = { ...input, range: { after, upTo }, pointsUpTo };
    if (after < pointsUpTo) results.push(await reconcile(part, services, attempt));
  };
  let { after } = range;
  const rest = async (): Promise<ReconcileResult> => {
    await reconcilePart(after, range.upTo, input.pointsUpTo);
    return results.reduce(add);
  };
  for await (const ids of scanIds(services.source, table, range, attempt, null)) {
    for (const id of ids) {
      attempt.stop.throwIfAborted();
      // Orphans below the record first, so that they do not share its fate.
      await reconcilePart(after, id - 1n);
      after = id;
      if (await suspicion.begin(id)) {
        await reconcilePart(id - 1n, id);
        // The last attempt was lost here by chance, as when somebody kills workers: the rest at once.
        if (suspicion.end()) return rest();
      } else {
        results.push(givenUp(id));
      }
    }
  }
  return rest();
}

function givenUp(recordId: bigint): ReconcileResult {
  const failed = [[recordId, 'worker_lost']] satisfies [bigint, FaultCode][];
  return { ...NOTHING_DONE, firstId: recordId, lastId: recordId, records: 1, failed };
}

function add(a: ReconcileResult, b: ReconcileResult): ReconcileResult {
  return {
    firstId: a.firstId ?? b.firstId,
    lastId: b.lastId ?? a.lastId,
    records: a.records + b.records,
    written: a.written + b.written,
    unchanged: a.unchanged + b.unchanged,
    skipped: a.skipped + b.skipped,
    failed: [...a.failed, ...b.failed],
    orphans: a.orphans + b.orphans,
    pointsWritten: a.pointsWritten + b.pointsWritten,
    pointsDeleted: a.pointsDeleted + b.pointsDeleted,
    inputs: a.inputs + b.inputs,
    tokens: a.tokens + b.tokens,
  };
}

const NOTHING_DONE: ReconcileResult = {
  firstId: null,
  lastId: null,
  records: 0,
  written: 0,
  unchanged: 0,
  skipped: 0,
  failed: [],
  orphans: 0,
  pointsWritten: 0,
  pointsDeleted: 0,
  inputs: 0,
  tokens: 0,
};
