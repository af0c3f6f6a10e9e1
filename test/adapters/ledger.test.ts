import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { before, describe, it } from 'node:test';
import { createClient } from '@supabase/supabase-js';
import { Fault } from '../../src/errors.ts';
import type { FaultCode } from '../../src/errors.ts';
import type { LedgerJobState, LedgerUpdate } from '../../src/job/job.ts';
import { NO_TOTALS } from '../../src/job/outcome.ts';
import type { BatchStart, Outcome } from '../../src/job/outcome.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase.ts';
import { testStack } from '../support/stack.ts';

const BIG = 9_007_199_254_740_993n;
const STARTED = '2026-11-21T10:00:00.000+00:00';
const ENDED = '2026-11-21T10:00:05.000+00:00';
const LATER = '2026-11-21T11:00:00.000+00:00';
const NO_IDS = new Map<number, string[]>();
const { signal } = new AbortController();

let url: string;
let anonKey: string;
let admin: ReturnType<typeof clientOf>;
let ledger: Ledger;

const clientOf = (key: string) =>
  createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });

const job = (name = 'a-job'): LedgerUpdate['job'] => ({
  id: randomUUID(),
  name,
  source: 'shop/ip_summary',
  collection: null,
  startedAt: STARTED,
});

const start = (batch: number, sequence: number): BatchStart => ({
  batch,
  sequence,
  status: 'processing',
  startedAt: STARTED,
});

function outcome(batch: number, sequence: number, changes: Partial<Outcome> = {}): Outcome {
  const { written, unchanged, skipped, orphans, pointsWritten, pointsDeleted, inputs, tokens } = NO_TOTALS;
  return {
    ...{
      batch,
      sequence,
      status: 'completed',
      firstId: null,
      lastId: null,
      records: 0,
      failed: [],
      attempts: 1,
    },
    ...{ written, unchanged, skipped, orphans, pointsWritten, pointsDeleted, inputs, tokens },
    ...{ worker: 'worker-1', startedAt: STARTED, endedAt: ENDED },
    ...changes,
  };
}

const state = (sequence: number, changes: Partial<LedgerJobState> = {}): LedgerJobState => ({
  ...{ sequence, status: 'running', reason: null, plan: null, endedAt: null },
  ...changes,
});

const apply = (update: Partial<LedgerUpdate> & Pick<LedgerUpdate, 'job'>, recordIds = NO_IDS) =>
  ledger.apply({ state: null, batches: [], ...update }, recordIds, signal);

async function rows(table: string, columns: string, jobId: string, order: string): Promise<unknown[]> {
  const column = table === 'ingestion_job' ? 'id' : 'job_id';
  const { data, error } = await admin.from(table).select(columns).eq(column, jobId).order(order);
  assert.equal(error, null);
  return data ?? [];
}

const jobRow = async (id: string, columns = '*') =>
  (await rows('ingestion_job', columns, id, 'id'))[0] as Record<string, unknown>;
const batchRows = (id: string, columns: string) => rows('ingestion_batch', columns, id, 'batch_number');
const failureRows = (id: string, columns = 'record_id::text, batch_number, code') =>
  rows('ingestion_failure', columns, id, 'record_id');

function isFault(code: FaultCode) {
  return (error: unknown) => {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.code, code);
    return true;
  };
}

before(() => {
  const stack = testStack();
  const environment = stack.environment();
  url = environment.SUPABASE_URL ?? '';
  anonKey = stack.state().services.postgrest?.connection['anonKey'] ?? '';
  const key = environment.SUPABASE_KEY ?? '';
  admin = clientOf(key);
  ledger = createSupabaseLedger({ SUPABASE_URL: url, SUPABASE_KEY: key });
});

describe('apply', () => {
  it('keeps every figure and exact ids', async () => {
    const header = { ...job(), collection: 'memos_v1' };
    const first = outcome(0, 2, {
      ...{ firstId: String(BIG), lastId: String(BIG + 2n), records: 3, written: 1, unchanged: 1, orphans: 2 },
      ...{ failed: [[String(BIG + 2n), 'content_too_large']], pointsWritten: 5, pointsDeleted: 1 },
      ...{ inputs: 4, tokens: 99, attempts: 3 },
    });
    const plan = { partitions: 2, batches: 20, records: 2_000 };
    const recordIds = new Map([[0, [String(BIG), String(BIG + 1n), String(BIG + 2n)]]]);
    await apply(
      { job: header, state: state(0, { plan }), batches: [first, outcome(1, 1), start(2, 1)] },
      recordIds,
    );

    const columns = `status, start_id::text, end_id::text, record_ids::text, processed_count, failed_count, written_count,
      unchanged_count, retry_count, worker_id, claimed_at, ended_at, error_message`;
    const empty = { start_id: null, end_id: null, record_ids: null, processed_count: 0, failed_count: 0 };
    const plain = {
      written_count: 0,
      unchanged_count: 0,
      retry_count: 0,
      worker_id: 'worker-1',
      error_message: null,
    };
    const times = { claimed_at: '2026-11-21T10:00:00+00:00', ended_at: '2026-11-21T10:00:05+00:00' };
    assert.deepEqual(await batchRows(header.id, columns), [
      {
        ...{ status: 'completed', start_id: String(BIG), end_id: String(BIG + 2n) },
        ...{ record_ids: `{${BIG},${BIG + 1n},${BIG + 2n}}`, processed_count: 2, failed_count: 1 },
        ...{ ...plain, written_count: 1, unchanged_count: 1, retry_count: 2, ...times },
      },
      { status: 'completed', ...empty, ...plain, ...times },
      { status: 'processing', ...empty, ...plain, ...times, worker_id: null, ended_at: null },
    ]);
    const row = await jobRow(header.id);
    assert.deepEqual(
      [row['name'], row['source'], row['collection'], row['status'], row['sequence'], row['partitions']],
      ['a-job', 'shop/ip_summary', 'memos_v1', 'running', 0, 2],
    );
    assert.deepEqual([row['total_batches'], row['completed_batches'], row['total_records']], [20, 2, 2_000]);
    assert.deepEqual([row['processed_records'], row['failed_records'], row['written_records']], [2, 1, 1]);
    assert.deepEqual([row['points_written'], row['points_deleted'], row['orphans']], [5, 1, 2]);
    assert.deepEqual([row['inputs'], row['tokens'], row['cost']], [4, 99, null]);
    assert.deepEqual(await failureRows(header.id, 'record_id::text, batch_number, code, stage, message'), [
      {
        ...{ record_id: String(BIG + 2n), batch_number: 0, code: 'content_too_large', stage: 'read' },
        message: 'The content is larger than MAX_CONTENT_BYTES (16 MiB); shorten or split the row.',
      },
    ]);
  });

  it('changes nothing when repeated or late', async () => {
    const header = job();
    const failed: Outcome['failed'] = [['7', 'content_invalid']];
    const update = {
      job: header,
      state: state(5, { status: 'paused', reason: 'requested' }),
      batches: [outcome(0, 3, { records: 4, written: 3, failed, tokens: 8 })],
    };
    await apply(update);
    const seen = async () => [
      await jobRow(header.id),
      await batchRows(header.id, '*'),
      await failureRows(header.id, '*'),
    ];
    const once = await seen();
    await apply(update);
    await apply({
      job: header,
      state: state(4),
      batches: [start(0, 2), outcome(0, 1, { status: 'failed' })],
    });
    await apply({ job: header });
    assert.deepEqual(await seen(), once);
    await apply({
      job: { ...header, collection: 'memos_v1' },
      state: state(6, { status: 'completed', endedAt: LATER }),
    });
    const row = await jobRow(header.id, 'status, reason, ended_at, collection');
    const ended_at = '2026-11-21T11:00:00+00:00';
    assert.deepEqual(row, { status: 'completed', reason: null, ended_at, collection: 'memos_v1' });
  });

  it('lets a newer report replace counters and failures, and keeps first_seen', async () => {
    const header = job();
    const failed: Outcome['failed'] = [
      ['1', 'content_invalid'],
      [String(BIG), 'embedding_refused'],
    ];
    const other = outcome(1, 0, { records: 1, failed: [['50', 'content_invalid']] });
    await apply({
      job: header,
      batches: [outcome(0, 0, { status: 'failed', records: 5, written: 3, failed }), other],
    });
    assert.deepEqual(await batchRows(header.id, 'error_message'), [
      { error_message: 'An unexpected error; the worker log names its class and place.' },
      { error_message: null },
    ]);
    assert.deepEqual(await jobRow(header.id, 'failed_batches, completed_batches, failed_records'), {
      ...{ failed_batches: 1, completed_batches: 1, failed_records: 3 },
    });

    const again: Outcome['failed'] = [
      [String(BIG), 'from_a_newer_version'],
      [String(BIG + 1n), 'content_invalid'],
    ];
    await apply({
      job: header,
      batches: [outcome(0, 2, { records: 5, unchanged: 3, failed: again, endedAt: LATER })],
    });
    assert.deepEqual(
      await failureRows(header.id, 'record_id::text, code, stage, first_seen, last_seen'),
      [
        ['50', 'content_invalid', 'read', ENDED, ENDED],
        [String(BIG), 'from_a_newer_version', 'batch', ENDED, LATER],
        [String(BIG + 1n), 'content_invalid', 'read', LATER, LATER],
      ].map(([record_id, code, stage, first = '', last = '']) => ({
        ...{
          record_id,
          code,
          stage,
          first_seen: first.replace('.000', ''),
          last_seen: last.replace('.000', ''),
        },
      })),
    );
    const columns = 'failed_batches, completed_batches, failed_records, written_records, unchanged_records';
    assert.deepEqual(await jobRow(header.id, columns), {
      ...{
        failed_batches: 0,
        completed_batches: 2,
        failed_records: 3,
        written_records: 0,
        unchanged_records: 3,
      },
    });

    await apply({ job: header, batches: [start(0, 3)] });
    assert.deepEqual(await failureRows(header.id), [
      { record_id: '50', batch_number: 1, code: 'content_invalid' },
    ]);
    assert.deepEqual(await jobRow(header.id, columns), {
      ...{
        failed_batches: 0,
        completed_batches: 1,
        failed_records: 1,
        written_records: 0,
        unchanged_records: 0,
      },
    });
  });

  it('keeps counters exact under eight callers at once, on the same batches and on others', async () => {
    const header = job();
    const updates = Array.from({ length: 8 }, (_, caller) =>
      Array.from({ length: 12 }, (_, round) => {
        const own = Array.from({ length: 5 }, (_, index) => 100 + caller * 100 + round * 5 + index);
        const report = (batch: number, sequence: number) =>
          outcome(batch, sequence, {
            ...{
              records: 10,
              written: 9,
              failed: [[String(batch * 10), 'content_invalid']],
              tokens: sequence,
            },
          });
        return [
          ...[0, 1, 2].map((batch) => report(batch, caller + round * 8)),
          ...own.map((batch) => report(batch, round)),
        ];
      }),
    );
    await Promise.all(
      updates.map(async (rounds) => {
        for (const batches of rounds) await apply({ job: header, batches });
      }),
    );
    const batches = 8 * 12 * 5 + 3;
    const columns = 'completed_batches, processed_records, failed_records, tokens';
    assert.deepEqual(await jobRow(header.id, columns), {
      ...{ completed_batches: batches, processed_records: batches * 9, failed_records: batches },
      // The shared batches end at the highest sequence, whoever came last.
      tokens: 3 * (7 + 11 * 8) + 8 * 5 * ((11 * 12) / 2),
    });
    assert.equal((await failureRows(header.id)).length, batches);
  });

  it('takes an update as large as the mirror sends', async () => {
    const header = job();
    const ids = (batch: number) =>
      Array.from({ length: 1_000 }, (_, index) => String(BIG + BigInt(batch * 1_000 + index)));
    const numbers = Array.from({ length: 200 }, (_, batch) => batch);
    const batches = numbers.map((batch) => outcome(batch, 0, { records: 1_000, written: 1_000 }));
    await apply({ job: header, batches }, new Map(numbers.map((batch) => [batch, ids(batch)])));
    assert.deepEqual(await jobRow(header.id, 'processed_records'), { processed_records: 200_000 });
  });
});

it('jobs() lists the newest first, of one name if asked', async () => {
  const name = `listed-${randomUUID()}`;
  const old = { ...job(name), startedAt: '2020-01-01T00:00:00Z' };
  const recent = { ...job(name), startedAt: '2030-01-01T00:00:00Z' };
  await apply({ job: recent, state: state(1, { status: 'failed' }) });
  await apply({ job: old, batches: [outcome(0, 0, { records: 2, skipped: 2 })] });
  const listed = await ledger.jobs({ name, limit: 10 }, signal);
  assert.deepEqual(
    listed.map((entry) => [entry.id, entry.status, entry.skippedRecords, entry.processedRecords]),
    [
      [recent.id, 'failed', 0, 0],
      [old.id, 'running', 2, 2],
    ],
  );
  assert.ok(listed.every((entry) => !Number.isNaN(Date.parse(entry.createdAt))));
  assert.equal((await ledger.jobs({ limit: 1 }, signal)).length, 1);
});

describe('security', () => {
  it('keeps the anonymous key from every table and function', async () => {
    const header = job();
    await apply({
      job: header,
      batches: [outcome(0, 0, { records: 1, failed: [['1', 'content_invalid']] })],
    });
    const anon = clientOf(anonKey);
    for (const table of ['ingestion_job', 'ingestion_batch', 'ingestion_failure']) {
      assert.equal((await anon.from(table).select('*')).error?.code, '42501', table);
      assert.equal(
        (await anon.from(table).delete().neq('job_id', randomUUID())).error === null,
        false,
        table,
      );
    }
    for (const name of ['ferry_apply_ledger', 'ferry_touch_updated_at']) {
      const { error } = await anon.rpc(name, name === 'ferry_apply_ledger' ? { change: {} } : {});
      assert.ok(['42501', 'PGRST202'].includes(error?.code ?? ''), `${name}: ${error?.code}`);
    }
    const outsider = createSupabaseLedger({ SUPABASE_URL: url, SUPABASE_KEY: anonKey });
    await assert.rejects(outsider.jobs({ limit: 1 }, signal), isFault('ledger_access_denied'));
    await assert.rejects(
      outsider.apply({ job: header, state: null, batches: [] }, NO_IDS, signal),
      isFault('ledger_access_denied'),
    );
  });

  it('puts no row content into an error', async () => {
    const bad = apply({ job: { ...job(), startedAt: 'secret content' } });
    await assert.rejects(
      bad,
      (error: Error) => !(error instanceof Fault) && !error.message.includes('secret'),
    );
  });
});

describe('faults', () => {
  const other = (settings: { url?: string; key?: string }) =>
    createSupabaseLedger({ SUPABASE_URL: settings.url ?? url, SUPABASE_KEY: settings.key ?? anonKey });

  it('tell a wrong key, a missing schema and an outage apart', async () => {
    await assert.rejects(other({ key: 'wrong' }).jobs({ limit: 1 }, signal), isFault('ledger_access_denied'));
    await assert.rejects(
      other({ url: 'http://127.0.0.1:1' }).jobs({ limit: 1 }, signal),
      isFault('ledger_unavailable'),
    );
    const update = { job: job(), state: null, batches: [] };
    await assert.rejects(
      other({ url: 'http://127.0.0.1:1' }).apply(update, NO_IDS, signal),
      isFault('ledger_unavailable'),
    );
    const missing = createServer((_, response) => {
      response
        .writeHead(404, { 'content-type': 'application/json' })
        .end('{"code":"PGRST202","message":"no function"}');
    });
    await new Promise<void>((resolve) => missing.listen(0, '127.0.0.1', resolve));
    const { port } = missing.address() as AddressInfo;
    const bare = other({ url: `http://127.0.0.1:${port}` });
    await assert.rejects(bare.apply(update, NO_IDS, signal), isFault('ledger_schema_missing'));
    missing.close();
    missing.closeAllConnections();
  });

  it('hand on the reason of an abort as it is', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const controller = new AbortController();
    const reason = new Error('shutting down');
    silent.once('request', () => {
      controller.abort(reason);
    });
    const { port } = silent.address() as AddressInfo;
    const call = other({ url: `http://127.0.0.1:${port}` }).jobs({ limit: 1 }, controller.signal);
    await assert.rejects(call, (error) => error === reason);
    await assert.rejects(ledger.jobs({ limit: 1 }, controller.signal), (error) => error === reason);
    silent.close();
    silent.closeAllConnections();
  });
});
