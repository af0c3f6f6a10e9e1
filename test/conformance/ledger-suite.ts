import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import { Fault } from '../../src/errors.ts';
import type { Outcome } from '../../src/job/outcome.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase.ts';
import type { LedgerLab } from './ledger-lab.ts';
import { BIG, ENDED, LATER, STARTED, job, outcome, start, state } from './ledger-updates.ts';

/**
 * What the product relies on in a ledger, each by its name. A check throws where a service does not keep it; it uses
 * jobs of its own, so several may run in one project.
 */
export const LEDGER_CHECKS: Readonly<Record<string, (lab: LedgerLab) => Promise<void>>> = {
  'examine finds tables, functions and key in order': async (lab) => {
    assert.deepEqual(await lab.ledger.examine(lab.signal), { missingMigrations: [] });
  },

  'an update arrives with every figure': async (lab) => {
    const header = { ...job(), collection: 'memos_v1' };
    const plan = { partitions: 2, batches: 20, records: 2_000 };
    const first = outcome(0, 2, {
      ...{ firstId: '7', lastId: '9', records: 3, written: 1, unchanged: 1, orphans: 2, attempts: 3 },
      ...{ failed: [['9', 'content_too_large']], pointsWritten: 5, pointsDeleted: 1, inputs: 4, tokens: 99 },
    });
    await lab.apply({ job: header, state: state(0, { plan }), batches: [first, outcome(1, 1), start(2, 1)] });

    const columns =
      'status, processed_count, failed_count, written_count, unchanged_count, retry_count, worker_id, error_message';
    const none = {
      processed_count: 0,
      failed_count: 0,
      written_count: 0,
      unchanged_count: 0,
      retry_count: 0,
    };
    const plain = { ...none, worker_id: 'worker-1', error_message: null };
    assert.deepEqual(await lab.batches(header.id, columns), [
      {
        ...{ ...plain, status: 'completed', processed_count: 2, failed_count: 1, written_count: 1 },
        ...{ unchanged_count: 1, retry_count: 2 },
      },
      { ...plain, status: 'completed' },
      { ...plain, status: 'processing', worker_id: null },
    ]);
    const times = await lab.batches(header.id, 'claimed_at, ended_at');
    assert.deepEqual(
      times.map(({ claimed_at }) => iso(claimed_at)),
      [STARTED, STARTED, STARTED],
    );
    assert.deepEqual(
      times.map(({ ended_at }) => iso(ended_at)),
      [ENDED, ENDED, null],
    );
    const row = (await lab.job(header.id)) ?? {};
    const expected = {
      ...{
        name: header.name,
        source: 'shop/ip_summary',
        collection: 'memos_v1',
        status: 'running',
        sequence: 0,
      },
      ...{
        partitions: 2,
        total_batches: 20,
        completed_batches: 2,
        total_records: 2_000,
        processed_records: 2,
      },
      ...{ failed_records: 1, written_records: 1, points_written: 5, points_deleted: 1, orphans: 2 },
      ...{ inputs: 4, tokens: 99 },
    };
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, row[key]])), expected);
  },

  'record ids arrive exactly, beyond 2^53 too': async (lab) => {
    const header = job();
    const ids = [BIG, BIG + 1n, BIG + 2n, 2n ** 63n - 1n].map(String);
    const [firstId = null, , , lastId = null] = ids;
    const failed: Outcome['failed'] = ids.map((id) => [id, 'content_invalid'] as const);
    await lab.apply(
      { job: header, batches: [outcome(0, 0, { firstId, lastId, records: 4, failed })] },
      new Map([[0, ids]]),
    );
    assert.deepEqual(await lab.batches(header.id, 'start_id::text, end_id::text, record_ids::text'), [
      { start_id: firstId, end_id: lastId, record_ids: `{${ids.join(',')}}` },
    ]);
    assert.deepEqual(
      (await lab.failures(header.id, 'record_id::text')).map(({ record_id }) => record_id),
      ids,
    );
    assert.equal((await lab.ledger.lastFailure(header.name, String(BIG), lab.signal))?.jobId, header.id);
    assert.equal(await lab.ledger.lastFailure(header.name, String(BIG - 1n), lab.signal), null);
  },

  'an update is one transaction: refused in part, it leaves nothing': async (lab) => {
    const header = job();
    const refused = { ...outcome(1, 0), status: 'nonsense' } as unknown as Outcome;
    const update = { job: header, state: state(0), batches: [outcome(0, 0, { records: 2 }), refused] };
    await assert.rejects(lab.apply(update));
    assert.equal(await lab.job(header.id), undefined);
    assert.deepEqual(await lab.batches(header.id), []);
  },

  'a repeated update changes nothing': async (lab) => {
    const header = job();
    const failed: Outcome['failed'] = [['7', 'content_invalid']];
    const update = {
      job: header,
      state: state(5, { status: 'paused', reason: 'requested' }),
      batches: [outcome(0, 3, { records: 4, written: 3, failed, tokens: 8 })],
    };
    await lab.apply(update);
    const once = await everything(lab, header.id);
    assert.equal(once.job?.['status'], 'paused');
    await lab.apply(update);
    await lab.apply({ job: header });
    assert.deepEqual(await everything(lab, header.id), once);
  },

  'lower sequences are ignored, higher ones are not': async (lab) => {
    const header = job();
    await lab.apply({
      job: header,
      state: state(5, { status: 'paused', reason: 'requested' }),
      batches: [outcome(0, 3, { records: 4, written: 4, tokens: 8 })],
    });
    const known = await everything(lab, header.id);
    await lab.apply({
      job: header,
      state: state(4),
      batches: [start(0, 2), outcome(0, 1, { status: 'failed' })],
    });
    assert.deepEqual(await everything(lab, header.id), known);
    const later = state(6, { status: 'completed', endedAt: LATER });
    await lab.apply({ job: { ...header, collection: 'memos_v1' }, state: later });
    const row = (await lab.job(header.id, 'status, reason, ended_at, collection')) ?? {};
    const { ended_at, ...rest } = row;
    assert.deepEqual(rest, { status: 'completed', reason: null, collection: 'memos_v1' });
    assert.equal(iso(ended_at), LATER);
  },

  'a newer report replaces counters and failures, and keeps first_seen': async (lab) => {
    const header = job();
    const failed: Outcome['failed'] = [
      ['1', 'content_invalid'],
      [String(BIG), 'embedding_refused'],
    ];
    const broken = outcome(0, 0, { status: 'failed', records: 5, written: 3, failed });
    const other = outcome(1, 0, { records: 1, failed: [['50', 'content_invalid']] });
    await lab.apply({ job: header, batches: [broken, other] });
    const counters = 'failed_batches, completed_batches, failed_records, written_records, unchanged_records';
    const counted = (...[failedBatches, completed, failedRecords, written, unchanged]: number[]) => ({
      ...{ failed_batches: failedBatches, completed_batches: completed, failed_records: failedRecords },
      ...{ written_records: written, unchanged_records: unchanged },
    });
    assert.deepEqual(await lab.job(header.id, counters), counted(1, 1, 3, 3, 0));
    assert.deepEqual(
      (await lab.batches(header.id, 'error_message')).map(({ error_message }) => error_message),
      ['An unexpected error; the worker log names its class and place.', null],
    );

    const again: Outcome['failed'] = [
      [String(BIG), 'from_a_newer_version'],
      [String(BIG + 1n), 'content_invalid'],
    ];
    const mended = outcome(0, 2, { records: 5, unchanged: 3, failed: again, endedAt: LATER });
    await lab.apply({ job: header, batches: [mended] });
    assert.deepEqual(await lab.job(header.id, counters), counted(0, 2, 3, 0, 3));
    const listed = await lab.failures(header.id, 'record_id::text, code, stage, first_seen, last_seen');
    assert.deepEqual(
      listed.map((row) => [
        row['record_id'],
        row['code'],
        row['stage'],
        iso(row['first_seen']),
        iso(row['last_seen']),
      ]),
      [
        ['50', 'content_invalid', 'read', ENDED, ENDED],
        [String(BIG), 'from_a_newer_version', 'batch', ENDED, LATER],
        [String(BIG + 1n), 'content_invalid', 'read', LATER, LATER],
      ],
    );

    await lab.apply({ job: header, batches: [start(0, 3)] });
    assert.deepEqual(await lab.job(header.id, counters), counted(0, 1, 1, 0, 0));
    assert.deepEqual(await lab.failures(header.id, 'record_id::text'), [{ record_id: '50' }]);
  },

  'counters are exact under eight callers at once, on the same batches and on others': async (lab) => {
    const header = job();
    const report = (batch: number, sequence: number): Outcome =>
      outcome(batch, sequence, {
        ...{ records: 10, written: 9, failed: [[String(batch * 10), 'content_invalid']], tokens: sequence },
      });
    const rounds = 6;
    const caller = async (index: number): Promise<void> => {
      for (let round = 0; round < rounds; round += 1) {
        const shared = [0, 1, 2].map((batch) => report(batch, index + round * 8));
        const own = [0, 1, 2, 3, 4].map((k) => report(100 + index * 100 + round * 5 + k, round));
        await lab.apply({ job: header, batches: [...shared, ...own] });
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, index) => caller(index)));
    const batches = 8 * rounds * 5 + 3;
    assert.deepEqual(
      await lab.job(header.id, 'completed_batches, processed_records, failed_records, tokens'),
      {
        ...{ completed_batches: batches, processed_records: batches * 9, failed_records: batches },
        // The shared batches end at the highest sequence, whoever came last.
        tokens: 3 * (7 + (rounds - 1) * 8) + 8 * 5 * ((rounds * (rounds - 1)) / 2),
      },
    );
    assert.equal((await lab.failures(header.id, 'record_id::text')).length, batches);
  },

  'a job may have more than 1,000 batches': async (lab) => {
    const header = job();
    const numbers = Array.from({ length: 1_200 }, (_, batch) => batch);
    // As many as the mirror sends at once.
    for (let first = 0; first < numbers.length; first += 200) {
      const batches = numbers
        .slice(first, first + 200)
        .map((batch) => outcome(batch, 0, { records: 3, written: 3 }));
      await lab.apply({ job: header, batches });
    }
    assert.equal((await lab.batches(header.id, 'batch_number')).length, 1_200);
    const [listed] = await lab.ledger.jobs({ name: header.name, limit: 2 }, lab.signal);
    assert.deepEqual([listed?.completedBatches, listed?.processedRecords], [1_200, 3_600]);
  },

  'an update may name 50,000 record ids': async (lab) => {
    const header = job();
    const numbers = Array.from({ length: 200 }, (_, batch) => batch);
    const ids = (batch: number): string[] =>
      Array.from({ length: 250 }, (_, index) => String(BIG + BigInt(batch * 250 + index)));
    const batches = numbers.map((batch) => outcome(batch, 0, { records: 250, written: 250 }));
    await lab.apply({ job: header, batches }, new Map(numbers.map((batch) => [batch, ids(batch)])));
    assert.deepEqual(await lab.job(header.id, 'processed_records'), { processed_records: 50_000 });
  },

  'jobs are listed newest first, of one name': async (lab) => {
    const old = { ...job(), startedAt: '2020-01-01T00:00:00Z' };
    const recent = { ...job(old.name), startedAt: '2030-01-01T00:00:00Z' };
    await lab.apply({ job: recent, state: state(1, { status: 'failed' }) });
    await lab.apply({ job: old, batches: [outcome(0, 0, { records: 2, skipped: 2 })] });
    await lab.apply({ job: { ...job(), startedAt: '2031-01-01T00:00:00Z' } });
    const listed = await lab.ledger.jobs({ name: old.name, limit: 10 }, lab.signal);
    assert.deepEqual(
      listed.map((entry) => [entry.id, entry.status, entry.skippedRecords, entry.processedRecords]),
      [
        [recent.id, 'failed', 0, 0],
        [old.id, 'running', 2, 2],
      ],
    );
    assert.ok(listed.every(({ createdAt }) => iso(createdAt) !== null));
    assert.equal((await lab.ledger.jobs({ limit: 1 }, lab.signal)).length, 1);
  },

  'the last failure of a record is that of the newest job of the name': async (lab) => {
    const [first, second] = [job(), job()];
    const newer = { ...job(first.name), startedAt: LATER };
    const fails = (code: string, endedAt: string): Outcome =>
      outcome(4, 0, { records: 1, failed: [[String(BIG), code]], endedAt });
    await lab.apply({ job: newer, batches: [fails('embedding_refused', LATER)] });
    await lab.apply({ job: first, batches: [fails('content_invalid', ENDED)] });
    await lab.apply({ job: second, batches: [fails('content_too_large', '2027-01-01T00:00:00Z')] });
    const { at, message, ...rest } =
      (await lab.ledger.lastFailure(first.name, String(BIG), lab.signal)) ?? {};
    assert.deepEqual(rest, { jobId: newer.id, batch: 4, code: 'embedding_refused', stage: 'embed' });
    assert.equal(message, 'The embedding service refuses a text of this record.');
    assert.equal(iso(at), LATER);
  },

  'cost is the price of the tokens, at the price that was known first': async (lab) => {
    const header = job();
    const cost = async () => lab.job(header.id, 'cost::text, usd_per_million_tokens::text');
    await lab.apply(
      { job: header, batches: [outcome(0, 0, { tokens: 99 })] },
      undefined,
      lab.ledgerWith(null),
    );
    assert.deepEqual(await cost(), { cost: null, usd_per_million_tokens: null });
    await lab.apply({ job: header, batches: [outcome(1, 0, { tokens: 1 })] });
    const at = async (expected: number): Promise<void> => {
      const row = await cost();
      assert.deepEqual([Number(row?.['cost'] ?? NaN), row?.['usd_per_million_tokens']], [expected, '0.02']);
    };
    await at(0.000002);
    await lab.apply(
      { job: header, batches: [outcome(0, 1, { tokens: 1_000_000 })] },
      undefined,
      lab.ledgerWith(5),
    );
    await at(0.02000002);
    await lab.apply({ job: header, batches: [start(0, 2)] }, undefined, lab.ledgerWith(null));
    await at(0.00000002);
  },
};

/** What a key without rights must not do; apart, since a place may not give one away. */
export const ANONYMOUS_CHECKS: typeof LEDGER_CHECKS = {
  'the anonymous key reads, writes and executes nothing': async (lab) => {
    const header = job();
    await lab.apply({
      job: header,
      batches: [outcome(0, 0, { records: 1, failed: [['1', 'content_invalid']] })],
    });
    const before = await everything(lab, header.id);
    const anonymous = lab.anonymous();
    for (const table of ['ingestion_job', 'ingestion_batch', 'ingestion_failure']) {
      const key = table === 'ingestion_job' ? 'id' : 'job_id';
      const answers = [
        await anonymous.from(table).select('*').limit(1),
        await anonymous.from(table).delete().eq(key, header.id),
        await anonymous
          .from(table)
          .update({ [key]: randomUUID() } as never)
          .eq(key, header.id),
        await anonymous.from(table).insert({ [key]: randomUUID() } as never),
      ];
      assert.deepEqual(
        answers.map(({ error }) => error?.code),
        ['42501', '42501', '42501', '42501'],
        table,
      );
    }
    const functions = [
      'ferry_apply_ledger',
      'ferry_apply_reports',
      'ferry_ledger_version',
      'ferry_touch_updated_at',
    ];
    for (const name of functions) {
      const { error } = await anonymous.rpc(name, name.includes('apply') ? { change: {} } : {});
      assert.ok(['42501', 'PGRST202'].includes(error?.code ?? ''), `${name}: ${error?.code}`);
    }
    const outsider = createSupabaseLedger({
      SUPABASE_URL: lab.place.url,
      SUPABASE_KEY: lab.place.anonKey ?? '',
    });
    const isDenied = (error: unknown) => error instanceof Fault && error.code === 'ledger_access_denied';
    await assert.rejects(outsider.jobs({ limit: 1 }, lab.signal), isDenied);
    await assert.rejects(outsider.lastFailure(header.name, '1', lab.signal), isDenied);
    await assert.rejects(outsider.examine(lab.signal), isDenied);
    await assert.rejects(lab.apply({ job: header, batches: [start(0, 9)] }, undefined, outsider), isDenied);
    assert.deepEqual(await everything(lab, header.id), before);
  },
};

/** All rows of a job, with the times of their last change. */
async function everything(lab: LedgerLab, id: string) {
  return { job: await lab.job(id), batches: await lab.batches(id), failures: await lab.failures(id, '*') };
}

/** A time as PostgREST writes it, in the form that we write. */
function iso(time: unknown): string | null {
  return typeof time === 'string' ? new Date(time).toISOString() : null;
}
