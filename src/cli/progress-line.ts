import { stripVTControlCharacters } from 'node:util';
import pc from 'picocolors';
import type { Snapshot } from '../client/snapshot.ts';
import { endedBatches } from '../job/outcome.ts';
import { widthOf } from './terminal-width.ts';
import { formatDuration, type Pace } from './eta.ts';
import { many, whole } from './quantities.ts';
import { cancelLine, pauseLines } from './render.ts';

/** Wide and narrow; none where the terminal has no room. */
const BAR_WIDTHS = [24, 10];
const SEPARATOR = ' · ';
const START_ONE = 'no worker polls: start one with `ferry worker`';

/**
 * The line that a follower sees: what keeps the job from going on, then percent, records, ETA, pace, failed records,
 * tokens, batches and points; of these what fits, in this order.
 *
 * @param columns of the terminal @default Infinity
 */
export function progressLine(snapshot: Snapshot, pace: Pace, columns = Infinity): string {
  const { plan, totals, phase } = snapshot;
  if (snapshot.status === 'paused' && !snapshot.isCancelRequested) {
    return pc.yellow(`paused: ${pauseLines(snapshot)[0]}`);
  }
  const hindrances = hindrancesOf(snapshot).map((text) => pc.yellow(text));
  if (snapshot.status === 'unknown') return fitting([...hindrances, 'the job is open'], columns);
  if (plan === null || totals === null) {
    return fitting([...hindrances, `${phase ?? 'starting'} …`], columns);
  }
  const share = plan.records === 0 ? 1 : Math.min(1, totals.records / plan.records);
  const percent = `${(share * 100).toFixed(1)} %`;
  const rate = pace.recordsPerSecond;
  const eta = snapshot.isOpen ? pace.etaSeconds(plan.records) : null;
  const parts = [
    `records ${whole(totals.records)}/${whole(plan.records)}`,
    ...(eta === null ? [] : [`ETA ${formatDuration(eta)}`]),
    ...(rate === null ? [] : [`${rate.toFixed(rate < 10 ? 1 : 0)} records/s`]),
    ...(totals.failed > 0 ? [pc.red(`${whole(totals.failed)} failed`)] : []),
    `tokens ${whole(totals.tokens)}`,
    `batches ${whole(endedBatches(totals))}/${whole(plan.batches)}`,
    `points ${whole(totals.pointsWritten)}`,
  ];
  const bars = BAR_WIDTHS.map((width) => [...hindrances, `${bar(share, width)} ${percent}`, ...parts]);
  const withBar = bars.find((line) => room(line) <= columns);
  return withBar === undefined
    ? fitting([...hindrances, percent, ...parts], columns)
    : withBar.join(SEPARATOR);
}

/** Why the job does not go on, or not as fast as it could. */
function hindrancesOf(snapshot: Snapshot): string[] {
  const { plan, totals, waits, workers, unmirrored } = snapshot;
  const isBehind = plan !== null && totals !== null && endedBatches(totals) === plan.batches;
  return [
    ...(snapshot.isCancelRequested ? [cancelLine(snapshot)] : []),
    ...(workers?.length === 0 ? [START_ONE] : []),
    ...(snapshot.status === 'unknown' && workers?.length !== 0 ? silentWorker(snapshot) : []),
    ...waits.map(({ reason, count }) => `${count} waiting: ${reason}`),
    ...(isBehind && unmirrored !== null && unmirrored > 0
      ? [`all batches have ended, ${many(unmirrored, 'report')} to the ledger left`]
      : []),
  ];
}

function silentWorker({ workers }: Snapshot): string[] {
  const last = workers?.[0];
  const start = 'if none runs, start one with `ferry worker`';
  if (last === undefined) return ['no worker answers', start];
  return ['no worker answers', start, `the last poll was by ${last.identity} at ${last.polledAt}`];
}

function bar(share: number, width: number): string {
  const filled = Math.round(share * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

/** The parts that fit beside those before them; the first is always there. */
function fitting(parts: readonly string[], columns: number): string {
  const kept: string[] = [];
  for (const part of parts) if (kept.length === 0 || room([...kept, part]) <= columns) kept.push(part);
  return kept.join(SEPARATOR);
}

function room(parts: readonly string[]): number {
  return widthOf(stripVTControlCharacters(parts.join(SEPARATOR)));
}
