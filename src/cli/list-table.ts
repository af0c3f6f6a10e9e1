import type { ListedRun } from '../client/list.ts';
import { whole } from './quantities.ts';
import { aligned } from './terminal-width.ts';

/** The runs as a table with a header; times are UTC. */
export function listTable(runs: readonly ListedRun[]): string {
  // Nothing failed in most lists: a column for that would only be in the way.
  const hasFailed = runs.some(({ failedRecords }) => (failedRecords ?? 0) > 0);
  const header = [
    'NAME',
    'STATUS',
    ...(hasFailed ? ['FAILED RECORDS'] : []),
    'STARTED (UTC)',
    'ENDED',
    'JOB',
  ];
  const rows = runs.map((run) => [
    run.name,
    run.status,
    ...(hasFailed ? [run.failedRecords === null ? '-' : whole(run.failedRecords)] : []),
    time(run.startedAt),
    run.endedAt === null ? '-' : time(run.endedAt),
    run.jobId,
  ]);
  return aligned([header, ...rows]).join('\n');
}

/** `2026-11-21 16:39:04` */
function time(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}
