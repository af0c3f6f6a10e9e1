import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Json } from '../support/damage.ts';
import { assertFound, DamagedJob, type Found } from '../support/damaged-job.ts';
import { snowflake } from '../support/rows.ts';

let job: DamagedJob;
before(async () => {
  job = await DamagedJob.open();
});
after(() => job.close());

test('what the migration left has no findings', async () => {
  const { ok, ledger } = await job.audit();
  assert.deepEqual([ok, ledger], [true, 'job completed, 3 batches, 11 records processed']);
});

describe('damage to the ledger', () => {
  const row = (): string => `id=eq.${job.jobId}`;
  const batch = (number: number): string => `job_id=eq.${job.jobId}&batch_number=eq.${number}`;
  const failure = (): string => `job_id=eq.${job.jobId}`;
  const ledgerSays = (reason: RegExp): Found => ['wrong', 'ledger', reason];

  const ofJob: readonly (readonly [column: string, value: unknown, reason: RegExp])[] = [
    ['status', 'running', /^the job has ended, its status is running$/],
    ['status', 'failed', /^the job is failed, 0 batches failed or were cancelled$/],
    ['reason', 'requested', /^a job that has ended has a reason to be paused$/],
    ['source', 'ferry/other', /^the job's source is another$/],
    ['collection', 'memos', /^the job's collection is another$/],
    ['ended_at', null, /^the job has no end after its start$/],
    ['cost', 5, /^cost is not the price of its tokens$/],
    ...[
      ...['total_batches', 'completed_batches', 'failed_batches', 'cancelled_batches', 'total_records'],
      ...['processed_records', 'failed_records', 'written_records', 'unchanged_records', 'skipped_records'],
      ...['orphans', 'points_written', 'points_deleted', 'inputs', 'tokens'],
    ].map((column) => [column, 77, new RegExp(`^${column} is 77, `)] as const),
  ];
  for (const [column, value, reason] of ofJob) {
    test(`the job's ${column} is ${String(value)}`, async () => {
      const [before] = await job.ledger.read('ingestion_job', row());
      assert.ok(before);
      await job.ledger.change('ingestion_job', row(), { [column]: value });
      try {
        assertFound(await job.audit(), ledgerSays(reason));
      } finally {
        await job.ledger.change('ingestion_job', row(), { [column]: before[column] });
      }
    });
  }

  // Rows 0 to 4 are batch 0, with record 10 alone failed in batch 2.
  const ofBatch: readonly (readonly [change: Json, reason: RegExp])[] = [
    [{ status: 'failed' }, /^batch 0: it is failed, and error_message is null$/],
    [{ status: 'cancelled' }, /^completed_batches is 3, its batches say 2$/],
    [{ status: 'processing' }, /^batch 0: the job has ended, its status is processing$/],
    [{ error_message: 'Something.' }, /^batch 0: it is completed, and error_message is there$/],
    [{ worker_id: null }, /^batch 0: it names no worker$/],
    [{ ended_at: null }, /^batch 0: it has no end after its beginning$/],
    [{ start_id: null }, /^batch 0: it read 5 records, start_id or end_id is null$/],
    [{ start_id: snowflake(0) - 1n }, /^batch 0: start_id is no id of the table$/],
    [{ start_id: snowflake(1) }, /^batch 0: it read 5 records, the table has 4 from start_id to end_id$/],
    [{ end_id: BigInt(Number(snowflake(4))) }, /^batch 0: end_id is no id of the table$/],
    [{ end_id: snowflake(5) }, /^batch 1 begins before batch 0 ends$/],
    [{ record_ids: [snowflake(0), snowflake(1)] }, /^batch 0: record_ids are not those of the table$/],
    [{ written_count: 4, unchanged_count: 1 }, /^batch 0: written_count is 4, points of 5 records carry/],
    [{ written_count: 4, skipped_count: 1 }, /^batch 0: skipped_count is 1, 0 rows have no content$/],
    [{ written_count: 4 }, /^batch 0: processed_count is 5, written, unchanged and skipped are 4$/],
    [{ processed_count: 6 }, /^processed_records is 11, its batches say 12$/],
    [{ failed_count: 1 }, /^batch 0: failed_count is 1, 0 failures are listed$/],
    [{ points_written: 1 }, /^batch 0: points_written is 1, \d+ points carry the job's id$/],
    [{ inputs: 1 }, /^inputs is \d+, its batches say \d+$/],
  ];
  for (const [change, reason] of ofBatch) {
    const said = Object.entries(change).map(([column, value]) => `${column} is ${String(value)}`);
    test(`a batch's ${said.join(', ')}`, async () => {
      const [before] = await job.ledger.read('ingestion_batch', batch(0));
      assert.ok(before);
      await job.ledger.change('ingestion_batch', batch(0), change);
      try {
        assertFound(await job.audit(), ledgerSays(reason));
      } finally {
        const columns = Object.keys(change).map((column) => [column, before[column]]);
        await job.ledger.change('ingestion_batch', batch(0), Object.fromEntries(columns) as Json);
      }
    });
  }

  test('a batch is missing', async () => {
    const [before] = await job.ledger.read('ingestion_batch', batch(1));
    assert.ok(before);
    await job.ledger.delete('ingestion_batch', batch(1));
    try {
      const report = await job.audit();
      assertFound(report, ledgerSays(/^batch 1 is missing$/));
      assertFound(report, ledgerSays(/^5 rows lie in no batch$/));
    } finally {
      assert.equal(await job.ledger.insert('ingestion_batch', before), true);
    }
  });

  test('a batch that is there twice does not come into being', async () => {
    const [before] = await job.ledger.read('ingestion_batch', batch(1));
    assert.equal(await job.ledger.insert('ingestion_batch', { ...before, id: randomUUID() }), false);
  });

  test('the job is missing', async () => {
    assertFound(await job.audit({ jobId: randomUUID() }), ledgerSays(/^the job has no row$/));
  });

  const ofFailure: readonly (readonly [change: Json, reason: RegExp])[] = [
    [{ record_id: snowflake(500) }, /^batch 2: a failure names record \d+, which the table lacks$/],
    [{ record_id: snowflake(1) }, /^batch 2: a failure names record \d+, outside its range$/],
    [{ code: '' }, /^batch 2: the failure of record \d+ has no code, stage or message$/],
    [{ stage: 'elsewhere' }, /^batch 2: the failure of record \d+ has no code, stage or message$/],
    [{ batch_number: 1 }, /^batch 1: failed_count is 0, 1 failures are listed$/],
  ];
  for (const [change, reason] of ofFailure) {
    const [[column, value] = []] = Object.entries(change);
    test(`a failure's ${column} is ${JSON.stringify(String(value))}`, async () => {
      const [before] = await job.ledger.read('ingestion_failure', failure());
      assert.ok(before && column);
      await job.ledger.change('ingestion_failure', failure(), change);
      try {
        assertFound(await job.audit(), ledgerSays(reason));
      } finally {
        await job.ledger.change('ingestion_failure', failure(), { [column]: before[column] });
      }
    });
  }

  test('a failure is missing', async () => {
    const [before] = await job.ledger.read('ingestion_failure', failure());
    assert.ok(before);
    await job.ledger.delete('ingestion_failure', failure());
    try {
      assertFound(await job.audit(), ledgerSays(/^batch 2: failed_count is 1, 0 failures are listed$/));
    } finally {
      await job.ledger.insert('ingestion_failure', before);
    }
  });

  test('a failure too many', async () => {
    const [before] = await job.ledger.read('ingestion_failure', failure());
    assert.ok(before);
    const extra = { ...before, record_id: snowflake(11) };
    await job.ledger.insert('ingestion_failure', extra);
    try {
      assertFound(await job.audit(), ledgerSays(/^batch 2: failed_count is 1, 2 failures are listed$/));
    } finally {
      await job.ledger.delete('ingestion_failure', `${failure()}&record_id=eq.${snowflake(11)}`);
    }
  });
});

test('when all is put back there are no findings again', async () => {
  assert.equal((await job.audit()).ok, true);
});
