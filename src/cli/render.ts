import pc from 'picocolors';
import type { Snapshot } from '../client/snapshot.ts';
import { FAULTS, isFaultCode } from '../errors.ts';
import { endedBatches } from '../job/outcome.ts';
import { formatDuration, type Pace } from './eta.ts';

const BAR_WIDTH = 24;

/** The line that a follower sees: bar, batches, records, points, tokens, pace, ETA and what is waited for. */
export function progressLine(snapshot: Snapshot, pace: Pace): string {
  const { plan, totals } = snapshot;
  if (snapshot.status === 'unknown') return silence(snapshot);
  if (snapshot.status === 'paused') return pc.yellow(`paused: ${pauseSentence(snapshot)}`);
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
  if (snapshot.pauseReason !== null) lines.push(`  paused: ${pauseSentence(snapshot)}`);
  if (snapshot.failure !== null) lines.push(`  failed before the first batch: ${snapshot.failure}`);
  if (snapshot.collection !== null) lines.push(`  collection ${snapshot.collection}`);
  for (const note of snapshot.notes) lines.push(`  note: ${note}`);
  if (plan !== null && totals !== null) {
    const batches = `${count(totals.completedBatches)} of ${count(plan.batches)} completed`;
    lines.push(
      `  batches  ${batches}, ${count(totals.failedBatches)} failed, ${count(totals.cancelledBatches)} cancelled`,
      `  records  ${count(totals.records)} of ${count(plan.records)}: ${count(totals.written)} written, ${count(totals.unchanged)} unchanged, ${count(totals.skipped)} without content, ${count(totals.failed)} failed`,
      `  points   ${count(totals.pointsWritten)} written, ${count(totals.pointsDeleted)} deleted`,
      `  paid     ${count(totals.inputs)} inputs, ${count(totals.tokens)} tokens`,
    );
    if (totals.orphans > 0) {
      lines.push(
        `  orphans  ${count(totals.orphans)} record ids have points but no row (deleted with --prune)`,
      );
    }
  }
  if (snapshot.isOpen && snapshot.unmirrored !== null && snapshot.unmirrored > 0) {
    lines.push(`  ledger   ${count(snapshot.unmirrored)} reports behind`);
  }
  for (const { reason, since, count: waiting } of snapshot.waits) {
    lines.push(`  waiting  ${waiting} for ${reason} since ${since}`);
  }
  if (snapshot.status === 'unknown') lines.push(`  ${silence(snapshot)}`);
  else if (snapshot.isOpen && snapshot.workers?.length === 0)
    lines.push('  no worker polls: start one with `ferry worker`');
  return lines.join('\n');
}

function pauseSentence(snapshot: Snapshot): string {
  const { pauseReason, pauseDetail, name } = snapshot;
  const how = `go on with \`ferry resume ${name}\``;
  if (pauseReason === 'requested' || pauseReason === null) return `on request; ${how}`;
  const message = pauseDetail ?? (isFaultCode(pauseReason) ? FAULTS[pauseReason].message : '');
  return `${pauseReason}: ${message} Then ${how}`;
}

function silence(snapshot: Snapshot): string {
  const last = snapshot.workers?.[0];
  const server = 'the server says that the job is open';
  if (last === undefined) return `${server}, and no worker polls: start one with \`ferry worker\``;
  return `${server}, but no worker answers; the last poll was by ${last.identity} at ${last.polledAt}. If it is gone, start one with \`ferry worker\``;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
