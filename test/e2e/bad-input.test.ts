import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { snapshotMigration, type Snapshot } from '../../src/client/snapshot.ts';
import { startMigration } from '../../src/client/start.ts';
import { jobSpecification, type Environment } from '../../src/config.ts';
import { FAULTS, type FaultCode } from '../../src/errors.ts';
import { Ferry, printed } from '../support/command.ts';
import { Lab, until, type WorkerProcess } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';

// What only a server can refuse: each job pauses with a reason that names what is wrong, and nothing is written or paid.
const ROWS = 12;
const TOO_LARGE = '9223372036854775808';

let lab: Lab;
let worker: WorkerProcess | null = null;
before(async () => {
  lab = await Lab.open();
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
});
after(() => lab.close());

/** Starts a job as `ferry start` does, without its preflight and without a process. */
async function start(name: string, settings: Readonly<Record<string, string>>): Promise<void> {
  const environment: Environment = { values: { ...lab.env, ...settings }, warnings: [], isStack: false };
  await startMigration(lab.client, { name, specification: jobSpecification(environment, {}) });
}

async function paused(name: string): Promise<Snapshot> {
  let last: Snapshot | null = null;
  await until(`${name} pauses`, 90_000, async () => {
    last = await snapshotMigration(lab.client, name);
    assert.ok(last.isOpen, `${name} has ended as ${last.status}: ${last.failure}`);
    return last.status === 'paused';
  });
  return last as unknown as Snapshot;
}

/** It is paused for this reason, in a sentence that begins as the code's own and names the details. */
function assertReason({ pauseReason, pauseDetail }: Snapshot, code: FaultCode, details: RegExp): void {
  assert.equal(pauseReason, code, pauseDetail ?? '');
  assert.ok(pauseDetail?.startsWith(FAULTS[code].message), pauseDetail ?? 'no detail');
  assert.match(pauseDetail ?? '', details);
}

/** What has been paid and written so far. */
async function cost() {
  const { inputs } = await lab.embeddings.counters();
  const { written, changed, deleted } = await lab.qdrant.counters();
  return { inputs, written, changed, deleted };
}

const cancel = (name: string) => lab.client.workflow.getHandle(`migration-${name}`).cancel();

describe('a source that does not fit', { concurrency: true }, () => {
  let start0: Awaited<ReturnType<typeof cost>>;
  before(async () => {
    const tables: Record<string, string> = {
      words: '(id VARCHAR(20) PRIMARY KEY, t TEXT)',
      twice: '(id BIGINT NOT NULL, t TEXT, KEY (id))',
      nulls: '(id BIGINT NULL, t TEXT, KEY (id))',
      beyond: '(id BIGINT UNSIGNED PRIMARY KEY, t TEXT)',
      bytes: '(id BIGINT PRIMARY KEY, member_code BLOB, t TEXT)',
      empty: '(id BIGINT PRIMARY KEY, t TEXT)',
      fine: '(id BIGINT PRIMARY KEY, t TEXT)',
    };
    for (const [name, columns] of Object.entries(tables))
      await lab.sql.query(`CREATE TABLE ${name} ${columns}`);
    await lab.sql.query(`INSERT INTO words VALUES ('one', 'text')`);
    await lab.sql.query(`INSERT INTO twice VALUES (1, 'text'), (2, 'text'), (2, 'text')`);
    await lab.sql.query(`INSERT INTO nulls VALUES (1, 'text'), (NULL, 'text')`);
    await lab.sql.query(`INSERT INTO beyond VALUES (1, 'text'), (${TOO_LARGE}, 'text')`);
    await lab.sql.query(`INSERT INTO bytes VALUES (1, x'00ff', 'text')`);
    await lab.sql.query(`INSERT INTO fine VALUES (1, 'text')`);
    worker ??= await lab.worker();
    start0 = await cost();
  });
  after(async () => assert.deepEqual(await cost(), start0, 'nothing was written or paid'));

  const of = (table: string, settings: Record<string, string> = {}) => ({
    MYSQL_TABLE: table,
    MYSQL_TENANT_COLUMN: 'none',
    MYSQL_CONTENT_COLUMN: 't',
    QDRANT_COLLECTION_NAME: 'source',
    ...settings,
  });
  const cases: readonly (readonly [what: string, Record<string, string>, FaultCode, RegExp])[] = [
    ['no such table', of('nope'), 'source_table_missing', /Table 'ferry\.nope' doesn't exist/u],
    ['no such database', of('nope.fine'), 'source_table_missing', /nope/u],
    [
      'no such id column',
      of('fine', { MYSQL_ID_COLUMN: 'key' }),
      'source_table_missing',
      /Unknown column 'key'/u,
    ],
    [
      'no such content column',
      of('fine', { MYSQL_CONTENT_COLUMN: 'body' }),
      'source_table_missing',
      /Unknown column 'body'/u,
    ],
    [
      'no such tenant column',
      of('fine', { MYSQL_TENANT_COLUMN: 'org' }),
      'source_table_missing',
      /Unknown column 'org'/u,
    ],
    [
      'no such payload column',
      of('fine', { MYSQL_PAYLOAD_COLUMNS: 'lang' }),
      'source_table_missing',
      /Unknown column 'lang'/u,
    ],
    [
      'no such column in the filter',
      of('fine', { MYSQL_FILTER: 'gone = 0' }),
      'source_table_missing',
      /Unknown column 'gone'/u,
    ],
    ['ids that are words', of('words'), 'source_misconfigured', /MYSQL_ID_COLUMN: .*integers/u],
    ['ids that are not unique', of('twice'), 'source_misconfigured', /MYSQL_ID_COLUMN: .*not unique/u],
    ['an id that is NULL', of('nulls'), 'source_misconfigured', /MYSQL_ID_COLUMN: .*NULL/u],
    ['an id beyond 2^63 - 1', of('beyond'), 'source_misconfigured', /MYSQL_ID_COLUMN: .*2\^63 - 1/u],
    [
      'a tenant of bytes',
      of('bytes', { MYSQL_TENANT_COLUMN: 'member_code' }),
      'source_misconfigured',
      /MYSQL_TENANT_COLUMN: .*binary/u,
    ],
    [
      'a filter that is no SQL',
      of('fine', { MYSQL_FILTER: 'id === 1' }),
      'source_misconfigured',
      /ER_PARSE_ERROR/u,
    ],
    [
      'a filter that writes a file',
      of('fine', { MYSQL_FILTER: "id IN (SELECT 1 INTO OUTFILE '/tmp/x')" }),
      'source_misconfigured',
      /ER_PARSE_ERROR/u,
    ],
  ];
  for (const [what, settings, code, details] of cases) {
    test(what, async () => {
      const name = what.replaceAll(/[^\w]/gu, '-');
      await start(name, settings);
      assertReason(await paused(name), code, details);
      await cancel(name);
    });
  }

  test('a filter that sleeps: the job can still be cancelled', async () => {
    await start('sleeper', of('fine', { MYSQL_FILTER: 'SLEEP(100) = 0' }));
    const sleeping = async () => {
      const [rows] = await lab.sql.query(
        "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(100) = 0%' AND id <> CONNECTION_ID()",
      );
      return (rows as unknown[]).length;
    };
    await until('the query runs', 90_000, async () => (await sleeping()) > 0);
    await cancel('sleeper');
    assert.equal((await lab.result('sleeper')).status, 'cancelled');
  });

  test('a table without rows completes, and its summary says so', async () => {
    await start('empty', of('empty'));
    const { status, totals } = await lab.result('empty');
    assert.deepEqual([status, totals.records], ['completed', 0]);
    const said = await lab.ferry('status', 'empty');
    assert.match(said.stdout, /^empty: completed .*records {2}none: the table has no row/su);
    assert.equal((await lab.ferry('watch', 'empty')).code, 0);
  });
});

test('status and watch of a job that could not begin say what to mend and how to go on', async () => {
  worker ??= await lab.worker();
  const env = { MYSQL_TABLE: 'later' };
  const name = 'later-to-memos';
  await start(name, env);
  await paused(name);
  const { stdout, code } = await lab.ferryWith(env, 'status');
  assert.equal(code, 0);
  assert.match(stdout, /^later-to-memos: paused/u);
  assert.match(
    stdout,
    /\n {2}paused: source_table_missing: .*MYSQL_TABLE.*Table 'ferry\.later' doesn't exist/u,
  );
  assert.match(
    stdout,
    /\n {2}to go on: .*`ferry resume later-to-memos`; or, .*`ferry cancel later-to-memos`/u,
  );

  // Without a terminal a follower prints the reason once and waits.
  const ferry = new Ferry(lab.env);
  try {
    const watch = ferry.start(['watch', name]);
    await printed(watch, /to go on: /u);
    await lab.sql.query('CREATE TABLE later LIKE ip_summary');
    assert.equal((await lab.ferryWith(env, 'resume')).code, 0);
    const ended = await watch.ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(ended.stdout.match(/source_table_missing/gu)?.length, 1);
  } finally {
    ferry.close();
  }
});

describe('a collection that does not fit', () => {
  const qdrant = async (method: string, path: string, body?: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(`${lab.env['QDRANT_URL']}/${path}`, {
      method,
      headers: { 'api-key': lab.env['QDRANT_API_KEY'] ?? '', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return ((await response.json()) as { result: Record<string, unknown> }).result;
  };
  const dense = (size = 1_536, distance = 'Cosine') => ({ child: { size, distance } });
  const sparse = { 'child-sparse': { modifier: 'idf' } };
  const foreign: Record<string, [body: unknown, details: RegExp]> = {
    'another-size': [
      { vectors: dense(8), sparse_vectors: sparse },
      /size of vector child is 8, expected 1536/u,
    ],
    'another-distance': [
      { vectors: dense(1_536, 'Dot'), sparse_vectors: sparse },
      /distance of vector child is Dot, expected Cosine/u,
    ],
    'another-vector': [
      { vectors: { text: { size: 1_536, distance: 'Cosine' } }, sparse_vectors: sparse },
      /dense vectors are text, expected one named child/u,
    ],
    'one-unnamed-vector': [
      { vectors: { size: 1_536, distance: 'Cosine' } },
      /single unnamed one.*sparse vectors are none/u,
    ],
    'another-sparse': [
      { vectors: dense(), sparse_vectors: { words: {} } },
      /sparse vectors are words, expected one named child-sparse/u,
    ],
    'no-modifier': [
      { vectors: dense(), sparse_vectors: { 'child-sparse': {} } },
      /modifier of sparse vector child-sparse is (?:missing|none), expected idf/u,
    ],
  };

  test('made by somebody else: each difference is named, nothing is changed or paid', async () => {
    worker ??= await lab.worker();
    for (const [name, [body]] of Object.entries(foreign)) await qdrant('PUT', `collections/${name}`, body);
    const collections = () =>
      Promise.all(Object.keys(foreign).map((name) => qdrant('GET', `collections/${name}`)));
    const before = [await cost(), await collections()];
    await Promise.all(
      Object.entries(foreign).map(async ([name, [, details]]) => {
        await start(name, { QDRANT_COLLECTION_NAME: name });
        const snapshot = await paused(name);
        assertReason(snapshot, 'target_incompatible', details);
        assert.match(snapshot.pauseDetail ?? '', new RegExp(`\\(${name}: `, 'u'));
        await cancel(name);
      }),
    );
    assert.deepEqual([await cost(), await collections()], before);
  });

  test('made by another job: model, dimensions and BM25 options', async () => {
    await start('first', { QDRANT_COLLECTION_NAME: 'ours' });
    const { status, totals } = await lab.result('first');
    assert.deepEqual([status, totals.written], ['completed', ROWS]);
    const before = [await cost(), await qdrant('GET', 'collections/ours')];
    const others: readonly (readonly [string, Record<string, string>, RegExp])[] = [
      [
        'model',
        { OPENAI_EMBEDDING_MODEL: 'text-embedding-3-large' },
        /embedding model of its points is text-embedding-3-small, expected text-embedding-3-large/u,
      ],
      [
        'dimensions',
        { OPENAI_EMBEDDING_DIMENSIONS: '512' },
        /size of vector child is 1536, expected 512; dimensions in its metadata is 1536, expected 512/u,
      ],
      [
        'words',
        { BM25_TOKENIZER: 'word', BM25_LANGUAGE: 'german', BM25_K: '2', BM25_B: '0.5', BM25_AVG_LEN: '64' },
        /tokenizer is multilingual, expected word; .*language is english, expected german; .*k is 1\.2, expected 2; .*b is 0\.75, expected 0\.5; .*avg_len is 128, expected 64/u,
      ],
    ];
    for (const [name, settings, details] of others) {
      await start(name, { QDRANT_COLLECTION_NAME: 'ours', ...settings });
      assertReason(await paused(name), 'target_incompatible', details);
      await cancel(name);
    }
    assert.deepEqual([await cost(), await qdrant('GET', 'collections/ours')], before);
    const said = await lab.ferry('status', 'model');
    assert.equal(said.code, 0);
  });
});

describe('an embedding model that does not fit', () => {
  const cases: readonly (readonly [string, Record<string, string>, FaultCode, RegExp])[] = [
    ['a model that is missing', { OPENAI_EMBEDDING_MODEL: 'nobody' }, 'embedding_model_missing', /HTTP 404/u],
    [
      'a model that cannot be as long',
      { OPENAI_EMBEDDING_DIMENSIONS: '2048' },
      'embedding_wrong_dimensions',
      /HTTP 400/u,
    ],
  ];
  for (const [what, settings, code, details] of cases) {
    test(what, async () => {
      worker ??= await lab.worker();
      const name = what.replaceAll(' ', '-');
      const before = await cost();
      await start(name, { QDRANT_COLLECTION_NAME: name, ...settings });
      assertReason(await paused(name), code, details);
      await cancel(name);
      assert.deepEqual(await cost(), before);
    });
  }
});

test('wrong keys, one after the other: each pauses the job, a restarted worker and resume go on', async () => {
  const otherProject = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from('{"role":"service_role"}').toString('base64url')}.canary`;
  const wrong: Record<string, string> = {
    QDRANT_API_KEY: 'canary-qdrant',
    MYSQL_PASSWORD: 'canary-mysql',
    SUPABASE_KEY: otherProject,
  };
  const env = { QDRANT_COLLECTION_NAME: 'keys' };
  const name = 'ip_summary-to-keys';
  const said: string[] = [];
  await worker?.kill();
  worker = await lab.worker(wrong);
  assert.equal((await lab.ferryWith({ ...env }, 'start', '--detach', '--no-preflight')).code, 0);
  for (const [setting, code] of [
    ['QDRANT_API_KEY', 'target_access_denied'],
    ['MYSQL_PASSWORD', 'source_access_denied'],
  ] as const) {
    const snapshot = await paused(name);
    assertReason(snapshot, code, new RegExp(setting, 'u'));
    said.push((await lab.ferryWith(env, 'status')).stdout, worker.log());
    assert.match(
      said.join(''),
      /to go on: correct the settings of the workers, restart them, then `ferry resume/u,
    );
    delete wrong[setting];
    await worker.kill();
    worker = await lab.worker(wrong);
    assert.equal((await lab.ferryWith(env, 'resume')).code, 0);
  }
  // The ledger holds nothing up but the job's end: its reports wait for the key.
  await until('all batches have ended', 90_000, async () => {
    const { totals, waits } = await lab.snapshot(name);
    return totals?.records === ROWS && waits.some(({ reason }) => reason === 'ledger_access_denied');
  });
  const status = (await lab.ferryWith(env, 'status')).stdout;
  said.push(status, worker.log());
  assert.match(status, /ledger .*all batches have ended, the job stays open until it has them/u);
  assert.match(status, /waiting .*ledger_access_denied since 2\d{3}-.*SUPABASE_KEY/u);
  await worker.kill();
  worker = await lab.worker();
  const { status: end, jobId } = await lab.result(name);
  assert.equal(end, 'completed');
  const [job] = await lab.ledger<{ status: string }>(`ingestion_job?id=eq.${jobId}`);
  assert.equal(job?.status, 'completed');
  assert.doesNotMatch(said.join('\n'), /canary/u);
});

describe('Ctrl-C of `ferry worker` and of a preflight', () => {
  const ferry = new Ferry();
  after(() => ferry.close());
  const running = /"RUNNING"/u;
  const inHand = () =>
    until('a batch is in hand', 90_000, async () => {
      const { batchesInHand } = await snapshotMigration(lab.client, 'interrupted');
      return batchesInHand.length > 0;
    });

  test('once: in good order; twice: at once, and another worker goes on. During the preflight of `ferry start`: nothing is started', async () => {
    await worker?.kill();
    worker = null;
    await lab.embeddings.behave({ latencyMs: 190_000 });
    const settings = { ...lab.env, FERRY_STACK_DIR: '', WORKER_SHUTDOWN_SECONDS: '600' };
    const first = ferry.start(['worker'], settings);
    await printed(first, running);
    await start('interrupted', { QDRANT_COLLECTION_NAME: 'interrupted' });
    await inHand();

    // The preflight embeds a word, so it waits too.
    const preflight = ferry.start(['start', '--name', 'never'], settings);
    await until('the preflight is asked', 90_000, async () => {
      for await (const { workflowId } of lab.client.workflow.list({ query: "WorkflowType = 'preflight'" })) {
        if (workflowId.startsWith('preflight-never-')) return true;
      }
      return false;
    });
    preflight.interrupt();
    assert.equal((await preflight.ended).stdout, '', 'no job was started');
    await assert.rejects(snapshotMigration(lab.client, 'never'), /no open job is called never/u);

    first.interrupt();
    await printed(first, /"(?:STOPPING|DRAINING)"/u);
    first.interrupt();
    const forced = await first.ended;
    assert.deepEqual([forced.code, forced.signal], [null, 'SIGINT'], 'it did not wait for the batch');

    await lab.embeddings.behaveNormally();
    const second = ferry.start(['worker'], settings);
    await printed(second, running);
    const { status, totals } = await lab.result('interrupted');
    assert.deepEqual([status, totals.written, totals.failed], ['completed', ROWS, 0]);
    second.interrupt();
    assert.equal((await second.ended).code, 0);
  });
});
