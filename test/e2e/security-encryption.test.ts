import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createDataConverter } from '../../src/encryption/data-converter.ts';
import { canary, filesBelow, sightings, spelled } from '../support/canary.ts';
import { Lab, until } from '../support/lab.ts';

// With TEMPORAL_PAYLOAD_KEYS nothing of a job can be read in Temporal, and everything works as without.

const ROWS = 60;
const JOB = 'a-job';
const newKey = (): string => randomBytes(32).toString('base64');
const [key, otherKey] = [newKey(), newKey()];
const WITH_KEY = { TEMPORAL_PAYLOAD_KEYS: `first:${key}` };
/** Names that must not be readable. */
const names = {
  table: `t_${canary()}`,
  column: `c_${canary()}`,
  collection: `q_${canary()}`,
  label: `l_${canary()}`,
  filter: canary(),
  refused: canary(),
  key,
};

let lab: Lab;

before(async () => {
  lab = await Lab.open({
    BATCH_SIZE: '10',
    MYSQL_TABLE: names.table,
    MYSQL_CONTENT_COLUMN: names.column,
    MYSQL_TENANT_COLUMN: 'none',
    MYSQL_FILTER: `id <> 0 OR '${names.filter}' = ''`,
    QDRANT_COLLECTION_NAME: names.collection,
    SOURCE_LABEL: names.label,
  });
  await lab.sql.query(`CREATE TABLE ${names.table} (id BIGINT PRIMARY KEY, ${names.column} LONGTEXT)`);
  const rows = Array.from({ length: ROWS }, (_, k) => [
    k + 1,
    `Row ${k} says ${k === 7 ? names.refused : 'hello'}.`,
  ]);
  await lab.sql.query(`INSERT INTO ${names.table} VALUES ?`, [rows]);
  await lab.embeddings.behave({ refuse: [names.refused] });
});
after(() => lab?.close());

/** Runs a command with the key and expects it to succeed. */
async function ferry(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await lab.ferryWith(WITH_KEY, ...args);
  assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

test('a worker without the key, or with another, breaks nothing and says which key is missing', async () => {
  await ferry('start', '--detach', '--no-preflight', '--name', JOB);
  for (const [keys, says] of [
    ['', /TEMPORAL_PAYLOAD_KEYS: .*encrypted with the key first.*it is not set here/u],
    [`second:${otherKey}`, /TEMPORAL_PAYLOAD_KEYS: .*encrypted with the key first.*here are second/u],
    [`first:${otherKey}`, /InputError/u],
  ] as const) {
    const worker = await lab.worker(keys === '' ? {} : { TEMPORAL_PAYLOAD_KEYS: keys });
    await until(`it says ${says.source}`, 60_000, () => says.test(worker.log()));
    await worker.kill('SIGTERM');
  }
  const status = JSON.parse(await ferry('status', JOB, '--json')) as { isOpen: boolean };
  assert.equal(status.isOpen, true);
});

test('with the key the job runs, and every command works', async () => {
  await lab.qdrant.fault({ status: 500, count: 2 });
  await lab.worker(WITH_KEY);
  await ferry('pause', JOB);
  await ferry('resume', JOB);
  const { stdout, code } = await lab.ferryWith(WITH_KEY, 'watch', JOB, '--json');
  assert.equal(code, 1, 'one record was refused');
  assert.match(stdout, /"failed":1/u);
  assert.match(await ferry('status', JOB), new RegExp(`${names.collection}|59`, 'u'));
  assert.match(await ferry('list'), /a-job/u);
  await ferry('plan');
  await ferry('preflight');
  assert.match(await ferry('search', 'hello'), /hello/u);
  assert.match(await ferry('inspect', '8', '--name', JOB), /embedding_refused/u);
});

test('what a batch waits for, and why a job has paused, is told', async () => {
  await lab.embeddings.behave({ outage: '503', refuse: [] });
  await ferry('start', '--detach', '--no-preflight', '--name', 'waits');
  await until('it waits', 60_000, async () =>
    /embedding_unavailable/u.test(await ferry('status', 'waits', '--json')),
  );
  await lab.embeddings.behave({ outage: null, quotaExhausted: true });
  await until('it has paused', 90_000, async () =>
    /embedding_quota_exhausted/u.test(await ferry('status', 'waits', '--json')),
  );
  await lab.embeddings.behave({ quotaExhausted: false });
  await ferry('resume', 'waits');
  await until('it has ended', 90_000, async () =>
    /"completed"/u.test(await ferry('status', 'waits', '--json')),
  );
});

test('failures that name a table fail readably for those with the key', async () => {
  const table = `${names.table}_x`;
  const missing = { ...WITH_KEY, MYSQL_TABLE: table };
  const plan = await lab.ferryWith(missing, 'plan');
  assert.notEqual(plan.code, 0);
  assert.match(plan.stdout + plan.stderr, new RegExp(table, 'u'));
  await lab.ferryWith(missing, 'start', '--detach', '--no-preflight', '--name', 'missing');
  await until('it has paused or ended', 60_000, async () =>
    /source_misconfigured|source_table/u.test(await ferry('status', 'missing', '--json')),
  );
  await ferry('cancel', 'missing');
});

test('commands without the key, or with a wrong one, name it and end with 2', async () => {
  for (const [settings, says] of [
    [{}, /TEMPORAL_PAYLOAD_KEYS: .*encrypted with the key first.*it is not set here/u],
    [{ TEMPORAL_PAYLOAD_KEYS: `second:${otherKey}` }, /encrypted with the key first.*here are second/u],
    [{ TEMPORAL_PAYLOAD_KEYS: `first:${otherKey}` }, /cannot be decrypted with the key first/u],
  ] as const) {
    const { code, stdout, stderr } = await lab.ferryWith(settings, 'status', JOB);
    assert.match(stderr, says, stdout);
    assert.equal(code, 2, stderr);
  }
});

test('after a change of the key the old one still reads', async () => {
  const both = { TEMPORAL_PAYLOAD_KEYS: `second:${otherKey},first:${key}` };
  const { code, stdout } = await lab.ferryWith(both, 'status', JOB, '--json');
  assert.equal(code, 0);
  assert.match(stdout, /"completed"/u);
});

test('Temporal holds none of the names, and has them all under the key', async () => {
  const places: Record<string, string | Buffer> = {};
  const failures: string[] = [];
  let readable = '';
  const [codec] = createDataConverter([{ id: 'first', key: Buffer.from(key, 'base64') }]).payloadCodecs ?? [];
  for await (const { workflowId, runId } of lab.client.workflow.list()) {
    const handle = lab.client.workflow.getHandle(workflowId, runId);
    const history = await handle.fetchHistory();
    places[`history of ${workflowId}/${runId}`] = spelled(history);
    places[`description of ${workflowId}/${runId}`] = spelled((await handle.describe()).raw);
    for (const event of history.events ?? []) {
      const { failure } = event.workflowExecutionFailedEventAttributes ?? {};
      if (failure != null) failures.push(failure.message ?? '');
      const input = event.workflowExecutionStartedEventAttributes?.input?.payloads ?? [];
      readable += spelled(await codec?.decode(input));
    }
  }
  for (const path of filesBelow(lab.stack.state().services.temporal?.dir ?? ''))
    places[path] = readFileSync(path);
  assert.deepEqual(sightings(names, places), []);
  // Also those that leave a workflow, which its bundle has to encode.
  assert.deepEqual([...new Set(failures)], ['Encoded failure']);
  for (const name of ['table', 'column', 'collection', 'label', 'filter'] as const) {
    assert.ok(readable.includes(names[name]), `${name} was never there`);
  }
});
