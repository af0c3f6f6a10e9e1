import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../src/stack/ports.ts';
import { canary, commandLines, filesBelow, sightings, spelled } from '../support/canary.ts';
import { Lab, until, type WorkerProcess } from '../support/lab.ts';
import { openQuotingServer } from '../support/quoting-server.ts';
import { snowflake } from '../support/rows.ts';

// Secrets and contents of rows that occur nowhere else are planted in one migration; everything that can go wrong goes
// wrong meanwhile; then whatever the product has written anywhere is searched for them.

const ROWS = 60;
const [OVERSIZE, REFUSED] = [7, 13];

const secrets: Record<string, string> = {
  'MySQL password': canary(`+/="'% \\`),
  'OpenAI key': canary('+/=-sk'),
  'Temporal key': canary('+/=-temporal'),
  'wrong MySQL password': canary(`+/="'%`),
  'wrong Qdrant key': canary('+/='),
  'wrong OpenAI key': canary('+/='),
  'wrong Supabase key': canary('-sb'),
};
const rowContent: Record<string, string> = {
  content: canary(' "quoted" content'),
  'refused content': canary(' refused content'),
  'oversize content': canary(' oversize content'),
  tenant: canary(" o'tenant"),
  'copied column': canary(' copied'),
};
const canaries = { ...secrets, ...rowContent };
/** What was written where; each is searched. */
const places: Record<string, string | Buffer> = {};
const note = (place: string, text: string): void =>
  void (places[place] = `${(places[place] ?? '').toString()}${text}\n`);

let lab: Lab;
/** The product's settings: those of the stack, with a database user of its own. */
let settings: Record<string, string>;

before(async () => {
  // A server that takes no TLS; the key travels all the same.
  lab = await Lab.open({
    BATCH_SIZE: '10',
    TEMPORAL_API_KEY: secrets['Temporal key'] ?? '',
    TEMPORAL_TLS: 'false',
  });
  secrets['Qdrant key'] = canaries['Qdrant key'] = lab.env['QDRANT_API_KEY'] ?? '';
  // All keys of this form begin alike; the signature is its own.
  canaries['Supabase key'] = (lab.env['SUPABASE_KEY'] ?? '').split('.')[2] ?? '';
  canaries['stack MySQL password'] = lab.env['MYSQL_PASSWORD'] ?? '';
  for (const [name, value] of Object.entries(canaries)) assert.ok(value.length >= 16, name);
  await lab.sql.query('CREATE USER canary IDENTIFIED BY ?', [secrets['MySQL password']]);
  await lab.sql.query('GRANT SELECT ON *.* TO canary');
  await lab.sql.query(
    'CREATE TABLE ip_summary (id BIGINT PRIMARY KEY, member_code VARCHAR(255), parse_content LONGTEXT, owner VARCHAR(255))',
  );
  const rows = Array.from({ length: ROWS }, (_, k) => [
    String(snowflake(k)),
    rowContent['tenant'],
    `${rowContent['content']} of row ${k}. ${'It goes on for a while. '.repeat(40)}`,
    rowContent['copied column'],
  ]);
  await lab.sql.query('INSERT INTO ip_summary VALUES ?', [rows]);
  const put = 'UPDATE ip_summary SET parse_content = ? WHERE id = ?';
  const oversize = `${rowContent['oversize content']}${'x'.repeat(17 * 1024 * 1024)}`;
  await lab.sql.query(put, [oversize, String(snowflake(OVERSIZE))]);
  await lab.sql.query(put, [rowContent['refused content'], String(snowflake(REFUSED))]);
  settings = {
    MYSQL_USER: 'canary',
    MYSQL_PASSWORD: secrets['MySQL password'] ?? '',
    MYSQL_PAYLOAD_COLUMNS: 'owner',
    OPENAI_API_KEY: secrets['OpenAI key'] ?? '',
    WORKER_LOG_LEVEL: 'TRACE',
  };
  await lab.embeddings.behave({ apiKey: secrets['OpenAI key'], refuse: [rowContent['refused content']] });
});
after(() => lab?.close());

/** Runs a command and keeps what it printed. */
async function ferry(other: Record<string, string>, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await lab.ferryWith({ ...settings, ...other }, ...args);
  note(`ferry ${args[0]}`, stdout + stderr);
  return stdout + stderr;
}

/** Ends a worker and keeps its log. */
async function end(worker: WorkerProcess): Promise<void> {
  note('command lines', commandLines());
  await worker.kill('SIGTERM');
  note('logs of workers', worker.log());
}

/** Cuts the product's connections to the database for a while, in the midst of their queries. */
async function killQueries(durationMs: number): Promise<number> {
  let killed = 0;
  for (const deadline = Date.now() + durationMs; Date.now() < deadline; await sleep(20)) {
    const [found] = await lab.sql.query(
      "SELECT id FROM information_schema.processlist WHERE user = 'canary'",
    );
    for (const { id } of found as { id: string }[]) {
      killed += await lab.sql.query(`KILL ${id}`).then(
        () => 1,
        () => 0,
      );
    }
  }
  return killed;
}

test('a migration through outages, killed queries and failing records', async () => {
  const metrics = `127.0.0.1:${await freePort(new Set())}`;
  const worker = await lab.worker({ ...settings, WORKER_METRICS_ADDRESS: metrics });
  for (const command of [['preflight'], ['plan'], ['plan', '--exact']]) await ferry({}, ...command);
  await lab.qdrant.fault({ status: 500, count: 3 });
  await lab.embeddings.behave({ latencyMs: 300 });
  await ferry({}, 'start', '--detach', '--no-preflight');
  note('command lines', commandLines());
  assert.ok((await killQueries(2_000)) > 0, 'no query was there to be killed');
  await ferry({}, 'pause');
  for (const outage of ['500', 'reset', '503']) {
    await lab.embeddings.behave({ outage });
    if (outage === '500') await ferry({}, 'resume');
    await sleep(500);
  }
  note('command lines', commandLines());
  await lab.embeddings.behave({ outage: null, latencyMs: 0 });
  const { status, totals } = await lab.result();
  assert.deepEqual([status, totals.records, totals.failed], ['completed', ROWS, 2]);
  for (const command of [['status'], ['list'], ['status', '--json'], ['watch']]) await ferry({}, ...command);
  note('metrics', await (await fetch(`http://${metrics}/metrics`)).text());
  await end(worker);
});

interface Broken {
  readonly what: string;
  readonly settings: (url: string) => Record<string, string>;
  /** Answers of the server that stands at `url`. */
  readonly statuses?: readonly number[];
  /** What shows that the error came about. */
  readonly seen: RegExp;
}

const BROKEN: readonly Broken[] = [
  {
    what: 'password',
    settings: () => ({ MYSQL_PASSWORD: secrets['wrong MySQL password'] ?? '' }),
    seen: /source_access_denied/u,
  },
  {
    what: 'qdrant-key',
    settings: () => ({ QDRANT_API_KEY: secrets['wrong Qdrant key'] ?? '' }),
    seen: /target_access_denied/u,
  },
  {
    what: 'openai-key',
    settings: () => ({ OPENAI_API_KEY: secrets['wrong OpenAI key'] ?? '' }),
    seen: /embedding_access_denied/u,
  },
  {
    what: 'supabase-key',
    settings: () => ({ SUPABASE_KEY: `sb_secret_${secrets['wrong Supabase key']}` }),
    seen: /ledger_access_denied/u,
  },
  {
    what: 'openai',
    settings: (url) => ({ OPENAI_BASE_URL: `${url}/v1` }),
    statuses: [500, 200, 503, 400],
    seen: /embedding_/u,
  },
  {
    what: 'qdrant',
    settings: (url) => ({ QDRANT_URL: url }),
    statuses: [500, 429, 503, 400],
    seen: /target_/u,
  },
  {
    what: 'qdrant-nonsense',
    settings: (url) => ({ QDRANT_URL: url }),
    statuses: [200],
    seen: /target_|unexpected/u,
  },
  {
    what: 'supabase',
    settings: (url) => ({ SUPABASE_URL: url }),
    statuses: [500, 400, 200, 401, 409],
    seen: /ledger_/u,
  },
  // The server's error quotes the value: XPATH syntax error: '~…'.
  {
    what: 'filter',
    settings: () => ({ MYSQL_FILTER: "extractvalue(1, concat('~', member_code)) = ''" }),
    seen: /source_|unexpected/u,
  },
];

for (const { what, settings: broken, statuses = [500], seen } of BROKEN) {
  test(`errors: ${what}`, async () => {
    const server = await openQuotingServer(statuses);
    const other = { ...broken(server.url), QDRANT_COLLECTION_NAME: `broken-${what}` };
    const worker = await lab.worker({ ...settings, ...other });
    try {
      await ferry(other, 'preflight', '--local');
      await ferry(other, 'start', '--detach', '--no-preflight', '--name', what);
      let shown = '';
      await until(`${seen.source} of ${what}`, 120_000, async () => {
        shown = worker.log();
        // As the server sees what is open: heartbeats, and the failures of attempts.
        for await (const { workflowId, runId } of lab.client.workflow.list({
          query: "ExecutionStatus = 'Running'",
        })) {
          const { raw } = await lab.client.workflow.getHandle(workflowId, runId).describe();
          note('open workflows', spelled(raw));
          shown += spelled(raw);
        }
        shown += JSON.stringify(await lab.snapshot(what));
        return seen.test(shown) && (statuses.length === 1 || server.requests() > 3);
      });
      await ferry(other, 'status', what);
      await ferry(other, 'cancel', what);
      await until('cancelled', 60_000, async () => {
        const { status } = await lab.client.workflow.getHandle(`migration-${what}`).describe();
        return status.name !== 'RUNNING';
      });
    } finally {
      server.close();
      await end(worker);
    }
  });
}

test('no canary is anywhere', async () => {
  for await (const { workflowId, runId } of lab.client.workflow.list()) {
    const handle = lab.client.workflow.getHandle(workflowId, runId);
    note('histories', spelled(await handle.fetchHistory()));
    note('descriptions of workflows', spelled((await handle.describe()).raw));
  }
  note(
    'temporal workflow list',
    (await lab.temporal('workflow', 'list', '--limit', '1000', '--output', 'json')).stdout,
  );
  for (const table of ['ingestion_job', 'ingestion_batch', 'ingestion_failure']) {
    note(`ledger: ${table}`, JSON.stringify(await lab.ledger(table)));
  }
  const state = lab.stack.state();
  for (const [name, { logFile }] of Object.entries(state.services))
    places[`log of ${name}`] = readFileSync(logFile);
  // Everything that Temporal stores, also what no call shows.
  const stored = filesBelow(state.services.temporal?.dir ?? '');
  for (const path of stored) places[`Temporal's file ${path}`] = readFileSync(path);

  // Each place is the one that it should be, and was written to.
  const marks: Record<string, RegExp> = {
    'logs of workers': /Worker ready.*embedding_access_denied/su,
    histories: /source: ferry\/ip_summary|"source":"ferry\/ip_summary"/u,
    'descriptions of workflows': /migration-ip_summary-to-memos/u,
    'open workflows': /waiting/u,
    'temporal workflow list': /migration-supabase/u,
    metrics: /temporal_/u,
    'command lines': /src\/worker\.ts/u,
    'ledger: ingestion_job': /ip_summary-to-memos/u,
    'ledger: ingestion_batch': /processing|completed/u,
    'ledger: ingestion_failure': /embedding_refused/u,
    'ferry status': /embedding_access_denied/u,
    'ferry preflight': /source/u,
  };
  for (const [place, mark] of Object.entries(marks))
    assert.match((places[place] ?? '').toString(), mark, place);
  assert.ok(stored.some((path) => readFileSync(path).includes('migration-ip_summary-to-memos')));
  assert.deepEqual(sightings(canaries, places), []);
});

test('the target and an answer hold the contents: the canaries could have been found', async () => {
  const points = JSON.stringify(await lab.qdrant.points());
  for (const name of ['content', 'tenant', 'copied column']) {
    assert.equal(sightings({ [name]: rowContent[name] ?? '' }, { points }).length, 1, name);
  }
  const worker = await lab.worker(settings);
  const found = await lab.ferryWith(settings, 'search', 'It goes on for a while');
  const looked = await lab.ferryWith(settings, 'inspect', String(snowflake(1)), '--content');
  await end(worker);
  assert.equal(
    sightings({ content: rowContent['content'] ?? '' }, { found: found.stdout, looked: looked.stdout })
      .length,
    2,
  );
  assert.deepEqual(
    sightings(canaries, { found: found.stderr, looked: looked.stderr, logs: worker.log() }),
    [],
  );
});

test('files with a secret are their owner’s alone', () => {
  const { dir, services } = lab.stack.state();
  const values = Object.values(services).flatMap(({ secrets: own }) => Object.values(own ?? {}));
  const held = Object.fromEntries([...values.entries()].map(([k, value]) => [String(k), value]));
  const small = filesBelow(dir).filter((path) => statSync(path).size < 1_000_000);
  const holding = small.filter((path) => {
    const content = readFileSync(path);
    return Object.values(held).some((value) => value.length >= 12 && content.includes(value));
  });
  assert.ok(holding.includes(join(dir, 'stack.json')), holding.join());
  for (const path of holding) assert.equal(statSync(path).mode & 0o077, 0, path);
});
