import pc from 'picocolors';
import type { Snapshot } from '../client/snapshot.ts';
import { FAULTS, isFaultCode } from '../errors.ts';
import { endedBatches } from '../job/outcome.ts';
import { formatDuration, type Pace } from './eta.ts';
import { remedy } from './remedy.ts';

const BAR_WIDTH = 24;

/** The line that a follower sees: bar, batches, records, points, tokens, pace, ETA and what is waited for. */
export function progressLine(snapshot: Snapshot, pace: Pace): string {
  const { plan, totals } = snapshot;
  if (snapshot.status === 'unknown') return silence(snapshot);
  if (snapshot.status === 'paused') return pc.yellow(`paused: ${pauseLines(snapshot)[0]}`);
  const waits = snapshot.waits.map(({ reason, count: waiting }) =>
    pc.yellow(`${waiting} waiting: ${reason}`),
  );
  if (plan === null || totals === null) return [`${snapshot.phase ?? 'starting'} …`, ...waits].join(' · ');
  const batches = endedBatches(totals);
  const share = plan.records === 0 ? 1 : Math.min(1, totals.records / plan.records);
  const filled = Math.round(share * BAR_WIDTH);
  const rate = pace.recordsPerSecond;
  const eta = snapshot.isOpen ? pace.etaSeconds(plan.records) : null;
  const parts = [
    `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${(share * 100).toFixed(1)} %`,
    `batches ${count(batches)}/${count(plan.batches)}`,
    `records ${count(totals.records)}/${count(plan.records)}`,
    `points ${count(totals.pointsWritten)}`,
    `tokens ${count(totals.tokens)}`,
    ...(rate === null ? [] : [`${rate.toFixed(rate < 10 ? 1 : 0)} records/s`]),
    ...(eta === null ? [] : [`ETA ${formatDuration(eta)}`]),
    ...(batches === plan.batches && (snapshot.unmirrored ?? 0) > 0
      ? [pc.yellow(`all batches have ended, ${reports(snapshot.unmirrored ?? 0)} to the ledger are left`)]
      : []),
    ...(totals.failed > 0 ? [pc.red(`${count(totals.failed)} failed`)] : []),
    ...(snapshot.workers?.length === 0 ? [pc.yellow('no worker polls: start one with `ferry worker`')] : []),
    ...snapshot.waits.map(({ reason, count: waiting }) => pc.yellow(`${waiting} waiting: ${reason}`)),
  ];
  return parts.join(' · ');
}

/** What became of a job, several lines. */
export function summary(snapshot: Snapshot): string {
  const { plan, totals } = snapshot;
  const lines = [`${snapshot.name}: ${snapshot.status} (job ${snapshot.jobId})`];
  if (snapshot.pauseReason !== null) {
    const [reason, how] = pauseLines(snapshot);
    lines.push(`  paused: ${reason}`, `  to go on: ${how}`);
  }
  if (snapshot.failure !== null) lines.push(`  failed before the first batch: ${snapshot.failure}`);
  if (snapshot.collection !== null) lines.push(`  collection ${snapshot.collection}`);
  for (const note of snapshot.notes) lines.push(`  note: ${note}`);
  if (plan !== null && totals !== null) {
    const batches = `${count(totals.completedBatches)} of ${count(plan.batches)} completed`;
    const isEmpty = plan.records === 0 && totals.records === 0;
    const records = isEmpty
      ? 'none: the table has no rows, or none passes the filter'
      : `${count(totals.records)} of ${count(plan.records)}: ${count(totals.written)} written, ${count(totals.unchanged)} unchanged, ${count(totals.skipped)} without content, ${count(totals.failed)} failed`;
    lines.push(
      `  batches  ${batches}, ${count(totals.failedBatches)} failed, ${count(totals.cancelledBatches)} cancelled`,
      `  records  ${records}`,
      `  points   ${count(totals.pointsWritten)} written, ${count(totals.pointsDeleted)} deleted`,
      `  paid     ${count(totals.inputs)} inputs, ${count(totals.tokens)} tokens`,
    );
    if (totals.failed > 0) {
      lines.push(
        '  failed   ids and reasons stand in ingestion_failure of the ledger and in the batches in Temporal; once mended, `ferry start` tries them again',
      );
    }
    if (totals.orphans > 0) {
      lines.push(
        `  orphans  ${count(totals.orphans)} record ids have points but no row (deleted with --prune)`,
      );
    }
  }
  if (snapshot.isOpen && snapshot.unmirrored !== null && snapshot.unmirrored > 0) {
    const work = plan !== null && totals !== null && endedBatches(totals) === plan.batches;
    lines.push(
      `  ledger   ${reports(snapshot.unmirrored)} behind${work ? '; all batches have ended, the job stays open until it has them' : ''}`,
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
  if (pauseReason === 'requested' || pauseReason === null) return ['on request', `\`ferry resume ${name}\``];
  const message = pauseDetail ?? (isFaultCode(pauseReason) ? FAULTS[pauseReason].message : '');
  return [`${pauseReason}: ${message}`, remedy(pauseReason, name)];
}

function silence(snapshot: Snapshot): string {
  const last = snapshot.workers?.[0];
  const server = 'the server says that the job is open';
  if (last === undefined) return `${server}, and no worker polls: start one with \`ferry worker\``;
  return `${server}, but no worker answers; the last poll was by ${last.identity} at ${last.polledAt}. If it is gone, start one with \`ferry worker\``;
}

function reports(value: number): string {
  return value === 1 ? '1 report' : `${count(value)} reports`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
