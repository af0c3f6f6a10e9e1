import type { Snapshot } from '../client/snapshot.ts';
import { FAULTS, isFaultCode } from '../errors.ts';
import { endedBatches } from '../job/outcome.ts';
import { jobArgument } from './job-argument.ts';
import { many, whole } from './quantities.ts';
import { remedy } from './remedy.ts';

/** What became of a job, several lines. */
export function summary(snapshot: Snapshot): string {
  const { plan, totals } = snapshot;
  const lines = [`${snapshot.name}: ${snapshot.status} (job ${snapshot.jobId})`];
  if (snapshot.isCancelRequested) lines.push(`  ${cancelLine(snapshot)}`);
  else if (snapshot.pauseReason !== null) {
    const [reason, how] = pauseLines(snapshot);
    lines.push(`  paused: ${reason}`, `  to go on: ${how}`);
  }
  if (snapshot.failure !== null) lines.push(`  failed before the first batch: ${snapshot.failure}`);
  if (snapshot.collection !== null) lines.push(`  collection ${snapshot.collection}`);
  for (const note of snapshot.notes) lines.push(`  note: ${note}`);
  if (plan !== null && totals !== null) {
    const batches = `${whole(totals.completedBatches)} of ${whole(plan.batches)} completed`;
    const isEmpty = plan.records === 0 && totals.records === 0;
    const records = isEmpty
      ? 'none: the table has no rows, or none passes the filter'
      : `${whole(totals.records)} of ${whole(plan.records)}: ${whole(totals.written)} written, ${whole(totals.unchanged)} unchanged, ${whole(totals.skipped)} without content, ${whole(totals.failed)} failed`;
    lines.push(
      `  batches  ${batches}, ${whole(totals.failedBatches)} failed, ${whole(totals.cancelledBatches)} cancelled`,
      `  records  ${records}`,
      `  points   ${whole(totals.pointsWritten)} written, ${whole(totals.pointsDeleted)} deleted`,
      `  paid     ${many(totals.inputs, 'input')}, ${many(totals.tokens, 'token')}`,
    );
    if (totals.failed > 0) {
      lines.push(
        '  failed   ids and reasons stand in ingestion_failure of the ledger and in the batches in Temporal; once mended, `ferry start` tries them again',
      );
    }
    if (totals.orphans > 0) {
      lines.push(
        `  orphans  ${many(totals.orphans, 'record id has', 'record ids have')} points but no row (deleted with --prune)`,
      );
    }
  }
  if (snapshot.isOpen && snapshot.unmirrored !== null && snapshot.unmirrored > 0) {
    const work = plan !== null && totals !== null && endedBatches(totals) === plan.batches;
    lines.push(
      `  ledger   ${many(snapshot.unmirrored, 'report')} behind${work ? '; all batches have ended, the job stays open until it has them' : ''}`,
    );
  }
  for (const { reason, since, count: waiting } of snapshot.waits) {
    const meaning = isFaultCode(reason) ? `: ${FAULTS[reason].message}` : '';
    lines.push(`  waiting  ${waiting} for ${reason} since ${since}${meaning}`);
  }
  if (snapshot.status === 'unknown') lines.push(`  ${silence(snapshot)}`);
  else if (snapshot.isOpen && snapshot.workers?.length === 0)
    lines.push('  no worker polls: start one with `ferry worker`');
  return lines.join('\n');
}

/** Why a job is paused, and how it goes on. */
export function pauseLines({ pauseReason, pauseDetail, name }: Snapshot): readonly [string, string] {
  if (pauseReason === 'requested' || pauseReason === null)
    return ['on request', `\`ferry resume ${jobArgument(name)}\``];
  const message = pauseDetail ?? (isFaultCode(pauseReason) ? FAULTS[pauseReason].message : '');
  return [`${pauseReason}: ${message}`, remedy(pauseReason, name)];
}

/** Of a job whose cancellation was requested: while no worker runs the server alone knows it. */
export function cancelLine({ status, workers }: Snapshot): string {
  return status === 'unknown' || workers?.length === 0
    ? 'cancellation requested; it ends when a worker runs'
    : 'cancellation requested; batches in hand finish the records they are at';
}

function silence(snapshot: Snapshot): string {
  const last = snapshot.workers?.[0];
  const server = 'the server says that the job is open';
  if (last === undefined) return `${server}, and no worker polls: start one with \`ferry worker\``;
  return `${server}, but no worker answers; the last poll was by ${last.identity} at ${last.polledAt}. If it is gone, start one with \`ferry worker\``;
}
