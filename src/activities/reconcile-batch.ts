import { Context } from '@temporalio/activity';
import type { BatchInput, BatchResult } from '../job/job.ts';
import { reconcile, type ReconcileInput, type ReconcileServices } from '../reconcile/reconcile.ts';
import { reconcileRecordByRecord } from '../reconcile/record-by-record.ts';
import { runAttempt } from './attempt.ts';

/** Reconciles the records of one batch. */
export async function reconcileBatch(
  services: ReconcileServices,
  identity: string,
  { job, plan }: BatchInput,
): Promise<BatchResult> {
  const { specification, collection, jobId } = job;
  const { chunking, table, prune, source } = specification;
  const { model, dimensions, bm25 } = specification.collection;
  const input: ReconcileInput = {
    owner: { collection, source },
    table,
    range: { after: BigInt(plan.after), upTo: BigInt(plan.upTo) },
    pointsUpTo: BigInt(plan.pointsUpTo),
    chunking,
    model: { model, dimensions },
    bm25,
    jobId,
    prune,
  };
  const result = await runAttempt(specification, (attempt) =>
    attempt.suspicion === null
      ? reconcile(input, services, attempt)
      : reconcileRecordByRecord(input, services, attempt, attempt.suspicion),
  );
  return {
    ...result,
    firstId: result.firstId?.toString() ?? null,
    lastId: result.lastId?.toString() ?? null,
    failed: result.failed.map(([id, code]) => [id.toString(), code]),
    attempts: Context.current().info.attempt,
    worker: identity,
  };
}
