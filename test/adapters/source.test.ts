import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import mysql from 'mysql2/promise';
import { Fault } from '../../src/errors.ts';
import type { FaultCode } from '../../src/errors.ts';
import { createMySqlSource } from '../../src/source/mysql.ts';
import { LARGEST_ID, MAX_CONTENT_BYTES } from '../../src/source/query.ts';
import { sourceSettings } from '../../src/source/settings.ts';
import type { SourceSettings } from '../../src/source/settings.ts';
import type { Source, TableSpec } from '../../src/source/source.ts';
import { testStack } from '../support/stack.ts';

const DATABASE = 'ferry_test_source';
const EVERYTHING = { after: -(2n ** 63n), upTo: LARGEST_ID };
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
    contentColumn: 'parse_content',
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

function isFault(code: FaultCode, detail = /(?:)/u) {
  return (error: unknown) => {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, detail);
    return true;
  };
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
});

after(async () => {
  await source.close();
  await admin.query(`DROP DATABASE IF EXISTS ${DATABASE}`);
  await admin.end();
});

describe('ids', () => {
  const ids = [-(2n ** 63n) + 1n, -(2n ** 53n) - 1n, -1n, 0n, 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n];

  it('are exact over the whole of 64 bits, in every call', async () => {
    const table = await records(
      'extremes',
      ids.map((id) => [id, `record ${id}`]),
    );
    assert.deepEqual(await source.ids(table, EVERYTHING, 100, signal), ids);
    assert.deepEqual(await source.ids(table, { after: -1n, upTo: 2n ** 53n }, 100, signal), [
      0n,
      1n,
      2n ** 53n,
    ]);
    assert.deepEqual(await source.ids(table, { after: 2n ** 53n, upTo: 2n ** 63n - 2n }, 9, signal), [
      2n ** 53n + 1n,
    ]);
    assert.deepEqual(await source.ids(table, EVERYTHING, 3, signal), ids.slice(0, 3));
    assert.deepEqual(await source.ids(table, { after: 5n, upTo: 5n }, 3, signal), []);
    assert.equal(await source.count(table, EVERYTHING, signal), ids.length);
    assert.equal(await source.count(table, { after: 0n, upTo: 2n ** 53n }, signal), 2);
    const page = await source.page(table, EVERYTHING, BOUNDS, signal);
    assert.deepEqual(
      page.rows.map((row) => [row.id, row.content]),
      ids.map((id) => [id, `record ${id}`]),
    );
    assert.equal(page.upTo, EVERYTHING.upTo);
    const wanted = [2n ** 53n, 2n ** 53n + 1n, 2n ** 53n + 2n, -(2n ** 53n) - 1n, 2n ** 63n - 1n];
    const found = await source.existing(table, wanted, signal);
    assert.deepEqual([...found].sort(), wanted.filter((id) => ids.includes(id)).sort());
  });

  it('are looked up by a range of the primary key', async () => {
    const table = await records('planned', []);
    const values = Array.from({ length: 2_000 }, (_, index) => `(${index * 7}, 'text')`).join(',');
    await admin.query(`INSERT INTO planned (id, parse_content) VALUES ${values}`);
    await admin.query('ANALYZE TABLE planned');
    const seen: string[] = [];
    for (const range of [
      { after: 70n, upTo: 700n },
      { after: 13_000n, upTo: LARGEST_ID },
    ]) {
      await source.page(table, range, BOUNDS, signal);
      const upper = range.upTo === LARGEST_ID ? '' : ` AND id <= ${range.upTo}`;
      const sql = `EXPLAIN SELECT id FROM planned WHERE id > ${range.after}${upper} ORDER BY id LIMIT 101`;
      const [plan] = await admin.query<mysql.RowDataPacket[]>(sql);
      seen.push(`${plan[0]?.['type']} ${plan[0]?.['key']}`);
    }
    assert.deepEqual(seen, ['range PRIMARY', 'range PRIMARY']);
  });

  it('above 2^63 - 1, repeated or not integer halt instead of getting lost', async () => {
    await admin.query(
      'CREATE TABLE positive (id BIGINT UNSIGNED PRIMARY KEY, member_code INT, parse_content TEXT)',
    );
    await admin.query("INSERT INTO positive VALUES (1, 1, 'a'), (9223372036854775807, 1, 'b')");
    const table = spec('positive');
    assert.deepEqual(await source.ids(table, EVERYTHING, 9, signal), [1n, LARGEST_ID]);
    await admin.query("INSERT INTO positive VALUES (9223372036854775808, 1, 'c')");
    await assert.rejects(source.ids(table, EVERYTHING, 9, signal), isFault('source_misconfigured', /2\^63/u));
    await admin.query('CREATE TABLE repeated (id INT, member_code INT, parse_content TEXT)');
    await admin.query("INSERT INTO repeated VALUES (1, 1, 'a'), (1, 1, 'b')");
    await assert.rejects(
      source.ids(spec('repeated'), EVERYTHING, 9, signal),
      isFault('source_misconfigured', /unique/u),
    );
    await admin.query('CREATE TABLE named (id VARCHAR(9) PRIMARY KEY, member_code INT, parse_content TEXT)');
    await assert.rejects(
      source.ids(spec('named'), EVERYTHING, 9, signal),
      isFault('source_misconfigured', /integer/u),
    );
  });
});

describe('pages', () => {
  it('end at the bound of rows or of bytes, and tile the range', async () => {
    const table = await records(
      'sized',
      [10, 20, 30, 40, 50].map((id) => [BigInt(id), 'x'.repeat(id)]),
    );
    const range = { after: 0n, upTo: 99n };
    const pages: [bigint[], bigint][] = [];
    let at = range.after;
    while (at < range.upTo) {
      const page = await source.page(table, { ...range, after: at }, { maxRows: 10, maxBytes: 60 }, signal);
      pages.push([page.rows.map((row) => row.id), page.upTo]);
      at = page.upTo;
    }
    assert.deepEqual(pages, [
      [[10n, 20n, 30n], 30n],
      [[40n], 40n],
      [[50n], 99n],
    ]);
    const two = await source.page(table, range, { maxRows: 2, maxBytes: 1 }, signal);
    assert.deepEqual([two.rows.length, two.upTo], [1, 10n], 'at least one row');
    const exact = await source.page(table, range, { maxRows: 5, maxBytes: 1_000 }, signal);
    assert.deepEqual([exact.rows.length, exact.upTo], [5, 99n]);
    const four = await source.page(table, range, { maxRows: 4, maxBytes: 1_000 }, signal);
    assert.deepEqual([four.rows.length, four.upTo], [4, 40n]);
    const none = await source.page(table, { after: 50n, upTo: 99n }, BOUNDS, signal);
    assert.deepEqual(none, { rows: [], upTo: 99n });
  });

  it('refuse content above 16 MiB unread, and take 16 MiB', async () => {
    const table = await records('large', [[1n, 'before']]);
    await admin.query(
      `INSERT INTO large (id, parse_content) VALUES (2, REPEAT('é', ${MAX_CONTENT_BYTES / 2}))`,
    );
    await admin.query(
      `INSERT INTO large (id, parse_content) VALUES (3, CONCAT(REPEAT('é', ${MAX_CONTENT_BYTES / 2}), 'x'))`,
    );
    await admin.query("INSERT INTO large (id, parse_content) VALUES (4, 'after')");
    const page = await source.page(
      table,
      EVERYTHING,
      { maxRows: 10, maxBytes: 2 * MAX_CONTENT_BYTES },
      signal,
    );
    assert.deepEqual(
      page.rows.map((row) => [row.id, row.content?.length ?? null, row.refused]),
      [
        [1n, 6, null],
        [2n, MAX_CONTENT_BYTES / 2, null],
        [3n, null, 'content_too_large'],
        [4n, 5, null],
      ],
    );
  });

  it('carry NULL, empty text and every script as they are', async () => {
    const texts = [null, '', '漢字かな交じり文', '👩‍👩‍👧 🇩🇪', 'e\u0301 \0 \\ \' "', '\ufeffwith a mark'];
    const table = await records(
      'texts',
      texts.map((text, index) => [BigInt(index), text]),
    );
    const page = await source.page(table, EVERYTHING, BOUNDS, signal);
    assert.deepEqual(
      page.rows.map((row) => row.content),
      texts,
    );
    assert.ok(page.rows.every((row) => row.refused === null && row.tenant === 'm'));
  });

  it('convert other character sets, and read bytes as UTF-8 or refuse them', async () => {
    await admin.query(
      `CREATE TABLE encoded (id INT PRIMARY KEY, member_code INT, latin TEXT CHARACTER SET latin1,
        gbk TEXT CHARACTER SET gbk, bytes BLOB, json JSON)`,
    );
    await admin.query(
      "INSERT INTO encoded VALUES (1, NULL, 'Größe €', '汉字', 'Größe', '{\"id\": 9007199254740993}')",
    );
    await admin.query("INSERT INTO encoded VALUES (2, 7, 'a', 'b', x'c328', NULL)");
    const read = async (contentColumn: string) => {
      const page = await source.page(spec('encoded', { contentColumn }), EVERYTHING, BOUNDS, signal);
      return page.rows.map((row) => row.refused ?? row.content);
    };
    assert.deepEqual(await read('latin'), ['Größe €', 'a']);
    assert.deepEqual(await read('gbk'), ['汉字', 'b']);
    assert.deepEqual(await read('bytes'), ['Größe', 'content_invalid']);
    assert.deepEqual(await read('json'), ['{"id": 9007199254740993}', null]);
    const page = await source.page(spec('encoded', { contentColumn: 'latin' }), EVERYTHING, BOUNDS, signal);
    assert.deepEqual(
      page.rows.map((row) => row.tenant),
      [null, '7'],
    );
    const untenanted = spec('encoded', { contentColumn: 'latin', tenantColumn: null });
    assert.deepEqual((await source.page(untenanted, EVERYTHING, BOUNDS, signal)).rows[1]?.tenant, null);
  });

  it('copy columns of every type, and refuse bytes', async () => {
    await admin.query(
      `CREATE TABLE copied (id INT PRIMARY KEY, member_code INT, parse_content TEXT, small SMALLINT, huge BIGINT UNSIGNED,
        price DECIMAL(20, 4), ratio DOUBLE, flag BIT(1), bits BIT(9), tiny TINYINT(1), day DATE, at DATETIME(3),
        stamp TIMESTAMP NULL, era YEAR, kind ENUM('a', 'b'), title VARCHAR(20), json JSON, nothing INT, zero DATE,
        raw VARBINARY(4), place POINT)`,
    );
    await admin.query("SET time_zone = '+05:00', sql_mode = ''");
    await admin.query(
      `INSERT INTO copied VALUES (1, 1, 'x', -3, 18446744073709551615, 12.5, 0.1, b'1', b'100000001', 2, '2024-02-29',
        '2024-02-29 12:00:00.25', '2024-02-29 12:00:00', 1999, 'b', '漢', '{"id":9007199254740993}', NULL, '0000-00-00',
        'raw', POINT(1, 2))`,
    );
    const columns = [
      'small',
      'huge',
      'price',
      'ratio',
      'flag',
      'bits',
      'tiny',
      'day',
      'at',
      'stamp',
      'era',
      'kind',
    ];
    const payloadColumns = [...columns, 'title', 'json', 'nothing', 'zero'];
    const page = await source.page(spec('copied', { payloadColumns }), EVERYTHING, BOUNDS, signal);
    assert.deepEqual(page.rows[0]?.copied, {
      small: -3,
      huge: 18_446_744_073_709_551_615n,
      price: '12.5000',
      ratio: 0.1,
      flag: true,
      bits: 257,
      tiny: 2,
      day: '2024-02-29',
      at: '2024-02-29T12:00:00.250',
      stamp: '2024-02-29T07:00:00Z',
      era: 1999,
      kind: 'b',
      title: '漢',
      json: '{"id":9007199254740993}',
      nothing: null,
      zero: null,
    });
    for (const name of ['raw', 'place']) {
      const bad = source.page(spec('copied', { payloadColumns: [name] }), EVERYTHING, BOUNDS, signal);
      await assert.rejects(
        bad,
        isFault('source_misconfigured', new RegExp(`MYSQL_PAYLOAD_COLUMNS.*"${name}"`, 'u')),
      );
    }
  });

  it('honour the filter, question marks and quotes in it; existing() ignores it', async () => {
    const table = await records('filtered', [
      [1n, 'why?'],
      [2n, "it's; -- here"],
      [3n, 'no'],
    ]);
    const filter = "parse_content = 'why?' OR parse_content = 'it''s; -- here'";
    const filtered = { ...table, filter };
    assert.deepEqual(await source.ids(filtered, EVERYTHING, 9, signal), [1n, 2n]);
    assert.deepEqual(
      await source.ids(filtered, { after: 1n, upTo: 9n }, 9, signal),
      [2n],
      'OR stays in parentheses',
    );
    assert.equal(await source.count(filtered, EVERYTHING, signal), 2);
    assert.equal((await source.page(filtered, EVERYTHING, BOUNDS, signal)).rows.length, 2);
    assert.deepEqual(await source.existing(filtered, [2n, 3n, 4n], signal), new Set([2n, 3n]));
    const many = Array.from({ length: 2_500 }, (_, index) => BigInt(index));
    assert.deepEqual(await source.existing(filtered, many, signal), new Set([1n, 2n, 3n]));
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

  it('name what is missing', async () => {
    await assert.rejects(
      failing({ MYSQL_DATABASE: 'no_such_base' }),
      isFault('source_table_missing', /no_such_base/u),
    );
    await assert.rejects(
      failing({}, spec('no_such_table')),
      isFault('source_table_missing', /no_such_table/u),
    );
    const table = spec('extremes', { contentColumn: 'no_such_column' });
    await assert.rejects(failing({}, table), isFault('source_table_missing', /no_such_column/u));
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

it('cannot write, whatever the filter calls', async () => {
  await admin.query('CREATE TABLE victim (n INT)');
  await admin.query(
    'CREATE FUNCTION strike() RETURNS INT BEGIN INSERT INTO victim VALUES (1); RETURN 1; END',
  );
  const call = source.ids(spec('extremes', { filter: `${DATABASE}.strike() = 1` }), EVERYTHING, 9, signal);
  await assert.rejects(call, isFault('source_misconfigured', /READ_ONLY/u));
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
