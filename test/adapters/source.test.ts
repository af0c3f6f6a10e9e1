import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import mysql from 'mysql2/promise';
import { createMySqlSource } from '../../src/source/mysql.ts';
import { createQueryPool } from '../../src/source/pool.ts';
import { countQuery, idsQuery, LARGEST_ID, rowsQuery, sizesQuery } from '../../src/source/query.ts';
import { sourceSettings } from '../../src/source/settings.ts';
import type { SourceSettings } from '../../src/source/settings.ts';
import type { Source, TableSpec } from '../../src/source/source.ts';
import { isFault } from '../conformance/source-bench.ts';
import { contentsByAudit } from '../support/audit.ts';
import { testStack } from '../support/stack.ts';

const DATABASE = 'ferry_test_source';
const EVERYTHING = { after: -(2n ** 63n) - 1n, upTo: LARGEST_ID };
const BOUNDS = { maxRows: 100, maxBytes: 1_000_000 };
const { signal } = new AbortController();

let settings: SourceSettings;
let admin: mysql.Connection;
let source: Source;

function spec(table: string, changes: Partial<TableSpec> = {}): TableSpec {
  return {
    database: DATABASE,
    table,
    idColumn: 'id',
    tenantColumn: 'member_code',
    contentColumns: ['parse_content'],
    contentTemplate: null,
    payloadColumns: [],
    filter: null,
    ...changes,
  };
}

/** Makes a table of records and fills it. */
async function records(
  name: string,
  rows: readonly [id: bigint | string, content: string | null][],
): Promise<TableSpec> {
  await admin.query(
    `CREATE TABLE \`${name}\` (id BIGINT PRIMARY KEY, member_code VARCHAR(64) DEFAULT 'm', parse_content LONGTEXT)`,
  );
  for (const [id, content] of rows) {
    await admin.query(`INSERT INTO \`${name}\` (id, parse_content) VALUES (?, ?)`, [String(id), content]);
  }
  return spec(name);
}

before(async () => {
  const stack = testStack();
  const environment = stack.environment();
  admin = await mysql.createConnection({
    host: environment.MYSQL_HOST,
    port: Number(environment.MYSQL_PORT),
    user: environment.MYSQL_USER,
    password: environment.MYSQL_PASSWORD,
    supportBigNumbers: true,
    bigNumberStrings: true,
  });
  await admin.query(`DROP DATABASE IF EXISTS ${DATABASE}`);
  await admin.query(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4`);
  await admin.query(`USE ${DATABASE}`);
  settings = sourceSettings.parse({ ...environment, MYSQL_DATABASE: DATABASE });
  source = createMySqlSource(settings);
  await records('extremes', [
    [-(2n ** 63n), 'a'],
    [LARGEST_ID, 'b'],
  ]);
});

after(async () => {
  await source.close();
  await admin.query(`DROP DATABASE IF EXISTS ${DATABASE}`);
  await admin.end();
});

describe('queries', () => {
  it('go by ranges of the primary key, whatever the columns and the filter', async () => {
    const table = await records('planned', []);
    const values = Array.from({ length: 2_000 }, (_, index) => `(${index * 7}, 'text')`).join(',');
    await admin.query(`INSERT INTO planned (id, parse_content) VALUES ${values}`);
    await admin.query('ANALYZE TABLE planned');
    const several = {
      ...table,
      contentColumns: ['parse_content', 'member_code'],
      filter: "member_code <> 'x'",
    };
    for (const range of [
      { after: 70n, upTo: 700n },
      { after: 13_000n, upTo: LARGEST_ID },
    ]) {
      for (const spec of [table, several]) {
        for (const sql of [
          idsQuery(spec, range, 101),
          sizesQuery(spec, range, 101),
          countQuery(spec, range),
          rowsQuery(spec, [range.after + 7n, range.after + 14n, range.after + 21n]),
        ]) {
          const [plan] = await admin.query<mysql.RowDataPacket[]>(`EXPLAIN ${sql}`);
          assert.deepEqual([plan[0]?.['type'], plan[0]?.['key']], ['range', 'PRIMARY'], sql);
          assert.doesNotMatch(String(plan[0]?.['Extra']), /filesort/u, sql);
        }
      }
    }
  });

  it('for NULL ids are made where the server says that there may be some, once a scan', async () => {
    await records('keyed', [[1n, 'a']]);
    const asked: string[] = [];
    await admin.query('CREATE TABLE open_key (id INT NULL UNIQUE, member_code INT, parse_content TEXT)');
    await admin.query("INSERT INTO open_key VALUES (1, 1, 'a'), (2, 1, 'b')");
    await admin.query("SET GLOBAL general_log = 1, GLOBAL log_output = 'TABLE'");
    try {
      for (const name of ['keyed', 'open_key']) {
        await source.ids(spec(name), EVERYTHING, 1, signal);
        await source.ids(spec(name), { ...EVERYTHING, after: 1n }, 1, signal);
      }
    } finally {
      await admin.query('SET GLOBAL general_log = 0');
    }
    const [rows] = await admin.query<mysql.RowDataPacket[]>(
      `SELECT CONVERT(argument USING utf8mb4) AS sql_text FROM mysql.general_log WHERE argument LIKE '%${DATABASE}%IS NULL%'`,
    );
    asked.push(
      ...rows.map((row) => String(row['sql_text'])).filter((sql) => sql.startsWith('SELECT 1 FROM')),
    );
    assert.deepEqual(asked, [`SELECT 1 FROM \`${DATABASE}\`.\`open_key\` WHERE \`id\` IS NULL LIMIT 1`]);
  });

  it('are given up by the server after a limit of their own', async () => {
    const pool = createQueryPool(settings);
    assert.equal(await pool.queryWithin(50, 'SELECT SLEEP(20)', signal), null);
    assert.equal((await pool.queryWithin(5_000, 'SELECT 7', signal))?.rows[0]?.[0]?.toString(), '7');
    await assert.rejects(pool.queryWithin(50, 'SELECT > 1', signal), isFault('source_misconfigured'));
    await pool.close();
  });
});

it('content of several columns is what the audit reads by itself', async () => {
  await admin.query(
    `CREATE TABLE audited (id BIGINT PRIMARY KEY, member_code INT, title VARCHAR(50) CHARACTER SET latin1,
      parse_content LONGTEXT, price DECIMAL(8, 2), note BLOB)`,
  );
  await admin.query(
    `INSERT INTO audited VALUES (1, 1, 'Größe', '正文 👍', 12.5, 'n'), (2, 1, NULL, ' kept ', NULL, NULL),
      (3, 1, '', ' \t', NULL, NULL), (4, 1, NULL, NULL, NULL, NULL), (5, 1, '{title}', '\\\\n', 0, 'ß')`,
  );
  for (const [columns, template] of [
    [['parse_content'], null],
    [['title', 'parse_content', 'price', 'note'], null],
    [['title', 'parse_content', 'price', 'note'], '{{{Title}}}: {price}\\n\\n{parse_content}\\t{note}'],
  ] as const) {
    const table = spec('audited', { contentColumns: columns, contentTemplate: template });
    const { rows } = await source.page(table, EVERYTHING, BOUNDS, signal);
    const theirs = await contentsByAudit(testStack().environment(), {
      ...{ database: DATABASE, table: 'audited' },
      ...{ columns, template },
    });
    assert.deepEqual(
      rows.map(({ content }) => content),
      theirs,
    );
  }
});

describe('MYSQL_ROWS_PER_SECOND', () => {
  it('makes pages of a second at most, and the next ones wait', async () => {
    const table = await records(
      'paced',
      [1, 2, 3, 4, 5].map((id) => [BigInt(id), 'x']),
    );
    const paced = createMySqlSource({ ...settings, MYSQL_ROWS_PER_SECOND: 2 });
    const begin = performance.now();
    const first = await paced.page(table, EVERYTHING, BOUNDS, signal);
    assert.deepEqual([first.rows.length, first.upTo], [2, 2n]);
    const second = await paced.page(table, { ...EVERYTHING, after: first.upTo }, BOUNDS, signal);
    assert.deepEqual([second.rows.length, second.upTo], [2, 4n]);
    // Timers may fire a millisecond early.
    assert.ok(performance.now() - begin > 990, 'the second page waits for the first to be paid for');
    assert.equal((await paced.ids(table, EVERYTHING, 9, signal)).length, 5, 'ids are not content');
    const controller = new AbortController();
    const waiting = paced.page(table, { ...EVERYTHING, after: 4n }, BOUNDS, controller.signal);
    controller.abort(new Error('no longer wanted'));
    await assert.rejects(waiting, /no longer wanted/u);
    await paced.close();
  });
});

describe('examine', () => {
  it('sees what an account may do through its roles, at any depth', async () => {
    await records('examined', [[1n, 'a']]);
    await admin.query("CREATE OR REPLACE USER ferry_test_member@'%' IDENTIFIED BY 'secret-word'");
    for (const role of ['ferry_test_outer', 'ferry_test_inner'])
      await admin.query(`CREATE OR REPLACE ROLE ${role}`);
    await admin.query(`GRANT SELECT ON ${DATABASE}.examined TO ferry_test_member@'%'`);
    await admin.query(`GRANT SELECT ON ${DATABASE}.* TO ferry_test_inner`);
    await admin.query('GRANT ferry_test_inner TO ferry_test_outer');
    const canWrite = async () => {
      const member = createMySqlSource({
        ...settings,
        MYSQL_USER: 'ferry_test_member',
        MYSQL_PASSWORD: 'secret-word',
      });
      try {
        return (await member.examine(spec('examined'), signal)).canWrite;
      } finally {
        await member.close();
      }
    };
    assert.equal(await canWrite(), false);
    await admin.query("GRANT ferry_test_outer TO ferry_test_member@'%'");
    assert.equal(await canWrite(), null, 'MariaDB keeps to itself what a role may do that is not active');
    await admin.query("SET DEFAULT ROLE ferry_test_outer FOR ferry_test_member@'%'");
    assert.equal(await canWrite(), false, 'roles that only read');
    await admin.query(`GRANT INSERT ON ${DATABASE}.* TO ferry_test_inner`);
    assert.equal(await canWrite(), true, 'a role of a role that writes');
    await admin.query("DROP USER ferry_test_member@'%'");
    for (const role of ['ferry_test_outer', 'ferry_test_inner']) await admin.query(`DROP ROLE ${role}`);
  });

  it('reports a relation that is a view of several tables', async () => {
    await admin.query(
      'CREATE VIEW both_of_them AS SELECT id, member_code, parse_content FROM extremes UNION ALL SELECT id, member_code, parse_content FROM extremes',
    );
    const found = await source.examine(spec('both_of_them'), signal);
    assert.deepEqual(
      [found.relation, found.idIndex, found.hasDuplicateIds, found.rows],
      ['view', 'none', true, 4],
    );
    await assert.rejects(
      source.ids(spec('both_of_them'), EVERYTHING, 1, signal),
      isFault('source_misconfigured', /not unique/u),
    );
  });
});

describe('faults', () => {
  const failing = async (changes: Partial<SourceSettings>, table = spec('extremes')) => {
    const other = createMySqlSource({ ...settings, ...changes });
    try {
      await other.page(table, EVERYTHING, BOUNDS, signal);
    } finally {
      await other.close();
    }
  };

  it('tell a refused login from a missing grant', async () => {
    await assert.rejects(
      failing({ MYSQL_PASSWORD: 'wrong' }),
      isFault('source_access_denied', /ER_ACCESS_DENIED/u),
    );
    await admin.query("CREATE OR REPLACE USER ferry_test_poor@'%' IDENTIFIED BY 'secret-word'");
    const poor = { MYSQL_USER: 'ferry_test_poor', MYSQL_PASSWORD: 'secret-word' };
    await assert.rejects(failing(poor), isFault('source_access_denied'));
    await admin.query(`GRANT SELECT (id) ON ${DATABASE}.extremes TO ferry_test_poor@'%'`);
    await assert.rejects(failing(poor), isFault('source_access_denied', /ER_COLUMNACCESS_DENIED/u));
    await admin.query(`GRANT SELECT ON ${DATABASE}.extremes TO ferry_test_poor@'%'`);
    await failing(poor);
    await admin.query("DROP USER ferry_test_poor@'%'");
  });

  it('blame the settings for what the server cannot read', async () => {
    const filtered = (filter: string) => spec('extremes', { filter });
    await assert.rejects(
      failing({}, filtered('id > > 1')),
      isFault('source_misconfigured', /ER_PARSE_ERROR/u),
    );
    await assert.rejects(
      failing({}, filtered('1 = 1) OR (1 = 1')),
      isFault('source_misconfigured', /parentheses/u),
    );
    await assert.rejects(failing({ MYSQL_TLS: 'verify' }), isFault('source_misconfigured', /HANDSHAKE/u));
    assert.throws(
      () => createMySqlSource({ ...settings, MYSQL_TLS: 'verify', MYSQL_CA: '/nowhere' }),
      /MYSQL_CA/u,
    );
  });

  it('call an outage an outage, and work again after it', async () => {
    await assert.rejects(failing({ MYSQL_PORT: 1 }), isFault('source_unavailable', /ECONNREFUSED/u));
    const slow = spec('extremes', { filter: `SLEEP(5) = 0 AND 'killed' = 'killed'` });
    const pending = assert.rejects(source.ids(slow, EVERYTHING, 9, signal), isFault('source_unavailable'));
    await admin.query(`KILL CONNECTION ${await threadOf('killed')}`);
    await pending;
    const interrupted = spec('extremes', { filter: `SLEEP(5) = 0 AND 'stopped' = 'stopped'` });
    const stopped = assert.rejects(
      source.ids(interrupted, EVERYTHING, 9, signal),
      isFault('source_unavailable'),
    );
    await admin.query(`KILL QUERY ${await threadOf('stopped')}`);
    await stopped;
    assert.equal((await source.ids(spec('extremes'), EVERYTHING, 1, signal)).length, 1);
  });

  it('call an idle connection that was closed an outage at most', async () => {
    const own = createMySqlSource({ ...settings, MYSQL_POOL_SIZE: 1 });
    await own.ids(spec('extremes'), EVERYTHING, 1, signal);
    const [rows] = await admin.query<mysql.RowDataPacket[]>(
      `SELECT id FROM information_schema.processlist WHERE db = '${DATABASE}' AND id <> CONNECTION_ID()`,
    );
    for (const row of rows) await admin.query(`KILL CONNECTION ${row['id']}`);
    const first = await own.ids(spec('extremes'), EVERYTHING, 1, signal).catch((error: unknown) => error);
    if (!Array.isArray(first)) isFault('source_unavailable')(first);
    assert.equal((await own.ids(spec('extremes'), EVERYTHING, 1, signal)).length, 1);
    await own.close();
  });
});

it('an abort ends a query, a wait for a connection and a call that has not begun, with the reason as it is', async () => {
  const own = createMySqlSource({ ...settings, MYSQL_POOL_SIZE: 1 });
  const controller = new AbortController();
  const reason = new Error('shutting down');
  const slow = spec('extremes', { filter: `SLEEP(3) = 0 AND 'aborted' = 'aborted'` });
  const calls = [1, 2].map(() => own.ids(slow, EVERYTHING, 9, controller.signal));
  const ended = Promise.allSettled(calls);
  const thread = await threadOf('aborted');
  controller.abort(reason);
  assert.deepEqual(await ended, [
    { status: 'rejected', reason },
    { status: 'rejected', reason },
  ]);
  await assert.rejects(own.ids(slow, EVERYTHING, 9, controller.signal), reason);
  // The server does not notice that its client has left, and would keep the table locked until the end of the query.
  await admin.query(`KILL CONNECTION ${thread}`);
  assert.equal((await own.ids(spec('extremes'), EVERYTHING, 1, signal)).length, 1, 'the pool is whole');
  await own.close();
});

/** Waits until a query with this word runs. */
async function threadOf(word: string): Promise<string> {
  for (;;) {
    const [rows] = await admin.query<mysql.RowDataPacket[]>(
      'SELECT id FROM information_schema.processlist WHERE info LIKE ? AND id <> CONNECTION_ID()',
      [`%'${word}'%`],
    );
    if (rows[0] !== undefined) return String(rows[0]['id']);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
