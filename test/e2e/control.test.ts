import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cancelMigration, pauseMigration, resumeMigration } from '../../src/client/control.ts';
import { Lab, until, type WorkerProcess } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';

const ROWS = 200;

let lab: Lab;
let worker: WorkerProcess | null = null;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: '10', MAX_WORKERS: '2' });
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
  await lab.embeddings.behave({ latencyMs: 700 });
});
beforeEach(async () => {
  // Every record changes, so that every run has twenty batches of real work.
  await lab.sql.query("UPDATE ip_summary SET parse_content = CONCAT('Again. ', parse_content)");
  worker ??= await lab.worker();
});
after(() => lab.close());

async function started(): Promise<void> {
  const { code, stderr } = await lab.ferry('start', '--detach');
  assert.equal(code, 0, stderr);
}

const completed = async (): Promise<number> => (await lab.snapshot()).totals?.completedBatches ?? 0;

/** No batch starts or ends any more. */
async function assertStandsStill(): Promise<void> {
  await until(
    'batches in hand have ended',
    20_000,
    async () => (await lab.snapshot()).batchesInHand.length === 0,
  );
  const before = await completed();
  await sleep(2_500);
  assert.equal(await completed(), before);
  assert.ok(before < ROWS / 10, 'there is something left');
}

const byCli = (verb: string) => async () => {
  const { code, stderr } = await lab.ferry(verb);
  assert.equal(code, 0, stderr);
};
const name = 'ip_summary-to-memos';
const ways = [
  { by: 'the CLI', pause: byCli('pause'), resume: byCli('resume'), cancel: byCli('cancel') },
  {
    by: 'the client',
    pause: () => pauseMigration(lab.client, name),
    resume: () => resumeMigration(lab.client, name),
    cancel: () => cancelMigration(lab.client, name),
  },
];

for (const { by, pause, resume, cancel } of ways) {
  test(`pause, resume and cancel by ${by}`, async () => {
    await started();
    await until('batches end', 20_000, async () => (await completed()) >= 2);
    await pause();
    await until('paused', 5_000, async () => (await lab.snapshot()).status === 'paused');
    await assertStandsStill();
    await resume();
    const before = await completed();
    await until('batches end again', 20_000, async () => (await completed()) > before);
    await cancel();
    const { status, jobId } = await lab.result();
    assert.equal(status, 'cancelled');
    await assertWhole(jobId);
  });
}

test('cancel by the temporal CLI', async () => {
  await started();
  await until('batches end', 20_000, async () => (await completed()) >= 2);
  const { code, stderr } = await lab.temporal('workflow', 'cancel', '--workflow-id', `migration-${name}`);
  assert.equal(code, 0, stderr);
  const { status, jobId } = await lab.result();
  assert.equal(status, 'cancelled');
  await assertWhole(jobId);
});

test('cancelling one batch by the temporal CLI does not cancel the run', async () => {
  await started();
  await until('a batch is in hand', 20_000, async () => (await lab.snapshot()).batchesInHand.length > 0);
  const [batch = ''] = (await lab.snapshot()).batchesInHand;
  const { code, stderr } = await lab.temporal('workflow', 'cancel', '--workflow-id', batch);
  assert.equal(code, 0, stderr);
  const { status, totals } = await lab.result();
  assert.deepEqual([status, totals.cancelledBatches, totals.completedBatches], ['failed', 1, ROWS / 10 - 1]);
});

test('pause works while no worker runs, and status says what the server and the ledger know', async () => {
  await started();
  await until('batches end', 20_000, async () => (await completed()) >= 2);
  await worker?.kill();
  worker = null;
  const { code, stderr } = await lab.ferry('pause');
  assert.equal(code, 0, stderr);
  const begin = Date.now();
  const status = await lab.ferry('status');
  assert.ok(Date.now() - begin < 8_000);
  assert.match(status.stdout, /the server says that the job is open/);
  assert.match(status.stdout, /ledger {3}running: \d+ of 20 batches/);
  worker = await lab.worker();
  await until('paused', 15_000, async () => (await lab.snapshot()).status === 'paused');
  await lab.ferry('resume');
  assert.equal((await lab.result()).status, 'completed');
  assert.equal((await lab.audit()).ok, true);
});

test('a second start shows the open run and exits 2; attach refuses another specification', async () => {
  await started();
  const second = await lab.ferry('start', '--detach');
  assert.equal(second.code, 2);
  assert.match(second.stderr, /is open already/);
  assert.match(second.stdout, /ip_summary-to-memos: running/);
  const other = await lab.ferry('start', '--attach', '--batch-size', '11');
  assert.equal(other.code, 2);
  assert.match(other.stderr, /batchSize/);
  const attached = await lab.ferry('start', '--attach');
  assert.equal(attached.code, 0, attached.stderr);
  assert.match(attached.stdout, /ip_summary-to-memos: completed/);
  const list = JSON.parse((await lab.ferry('list', '--json')).stdout) as { name: string }[];
  assert.equal(list[0]?.name, name);
  const nobody = await lab.ferry('pause', 'nobody');
  assert.equal(nobody.code, 2);
  assert.match(nobody.stderr, /no open job is called nobody/);
});

test('list shows what became of each job, not only that its workflow has completed', async () => {
  interface Line {
    execution: string;
    status: string;
    failedRecords: number | null;
  }
  let runs: Line[] = [];
  // Visibility is a moment late.
  await until('no run is open', 15_000, async () => {
    runs = JSON.parse((await lab.ferry('list', '--json')).stdout) as Line[];
    return runs.every(({ execution }) => execution === 'completed');
  });
  assert.deepEqual(
    runs.map(({ status }) => status),
    ['completed', 'completed', 'failed', 'cancelled', 'cancelled', 'cancelled'],
  );
  assert.ok(runs.every(({ failedRecords }) => failedRecords === 0));
  const [header = '', newest = ''] = (await lab.ferry('list')).stdout.split('\n');
  assert.match(header, /^NAME +STATUS +STARTED \(UTC\) +ENDED +JOB$/u);
  assert.match(newest, /^ip_summary-to-memos {2}completed {2}/u);
});

test('the worker says once that it is ready, and warns of nothing that is by design', () => {
  const entries = (worker?.log() ?? '')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { message: string });
  const ready = `Worker ready: polls vector-ferry in namespace ${lab.env['TEMPORAL_NAMESPACE']}, 8 slots`;
  assert.deepEqual(
    entries.flatMap(({ message }) => (message.startsWith('Worker ready') ? [message] : [])),
    [ready],
  );
  const byDesign = /^No workflows registered|^Activity failed|webpack/u;
  // A slow machine makes the SDK warn of other things.
  assert.deepEqual(
    entries.filter(({ message }) => byDesign.test(message)),
    [],
  );
});

/** After a cancel every record in the target is whole, old or new, and the ledger says cancelled. */
async function assertWhole(jobId: string): Promise<void> {
  const points = await lab.qdrant.points();
  const records = Map.groupBy(points, ({ payload }) =>
    JSON.stringify([payload['source'], payload['checksum']]),
  );
  for (const own of records.values()) {
    for (const { payload } of own) assert.equal(payload['point_count'], own.length);
  }
  await until('the ledger says cancelled', 15_000, async () => {
    const [job] = await lab.ledger<{ status: string }>(`ingestion_job?id=eq.${jobId}`);
    return job?.status === 'cancelled';
  });
}
