import assert from 'node:assert/strict';
import { it } from 'node:test';
import { listTable } from '../../src/cli/list-table.ts';
import type { ListedRun } from '../../src/client/list.ts';

const RUN: ListedRun = {
  name: 'ip_summary-to-memos',
  jobId: '6a1',
  workflowId: 'migration-ip_summary-to-memos',
  execution: 'completed',
  status: 'cancelled',
  failedRecords: 0,
  startedAt: '2026-01-02T03:04:05.678Z',
  endedAt: '2026-01-02T04:04:05.678Z',
};

it('has a header, the outcome of the job, and times to the second', () => {
  assert.equal(
    listTable([{ ...RUN, name: 'x', status: 'running', failedRecords: null, endedAt: null }, RUN]),
    [
      'NAME                 STATUS     STARTED (UTC)        ENDED                JOB',
      'x                    running    2026-01-02 03:04:05  -                    6a1',
      'ip_summary-to-memos  cancelled  2026-01-02 03:04:05  2026-01-02 04:04:05  6a1',
    ].join('\n'),
  );
});

it('counts failed records where there are any', () => {
  const [header = '', first = '', second = ''] = listTable([
    { ...RUN, failedRecords: 1_234 },
    { ...RUN, failedRecords: null },
  ]).split('\n');
  assert.match(header, /STATUS +FAILED RECORDS +STARTED/u);
  assert.match(first, /cancelled +1,234 +2026/u);
  assert.match(second, /cancelled +- +2026/u);
});
