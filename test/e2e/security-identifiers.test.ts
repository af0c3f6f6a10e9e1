import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import mysql from 'mysql2/promise';
import { Fault } from '../../src/errors.ts';
import { createServices, type Services } from '../../src/services.ts';
import { identifierProblem, quoteIdentifier } from '../../src/source/identifier.ts';
import { filterProblem } from '../../src/source/filter.ts';
import type { TableSpec } from '../../src/source/source.ts';
import { hostileName } from '../support/hostile-name.ts';
import { testStack } from '../support/stack.ts';

// Names and filters by chance and by malice, on the real MariaDB: what is accepted means exactly what it says.

const signal = AbortSignal.timeout(600_000);
const DATABASE = `names_${process.pid}`;
const RUNS = 60;
let sql: mysql.Connection;
let services: Services;

before(async () => {
  const environment = testStack().environment() as Record<string, string>;
  sql = await mysql.createConnection({
    host: environment['MYSQL_HOST'] ?? '',
    port: Number(environment['MYSQL_PORT']),
    user: environment['MYSQL_USER'] ?? '',
    password: environment['MYSQL_PASSWORD'] ?? '',
  });
  await sql.query(`CREATE DATABASE ${DATABASE} CHARACTER SET utf8mb4`);
  await sql.query(`USE ${DATABASE}`);
  await sql.query('CREATE TABLE t (id BIGINT PRIMARY KEY, text TEXT, n INT)');
  await sql.query('INSERT INTO t SELECT seq, CONCAT("row ", seq), seq FROM seq_1_to_100');
  services = createServices({ values: environment, warnings: [], isStack: false }, 'test');
});
after(async () => {
  await services?.close();
  await sql?.query(`DROP DATABASE ${DATABASE}`);
  await sql?.end();
});

const table = (changes: Partial<TableSpec> = {}): TableSpec => ({
  ...{ database: DATABASE, table: 't', idColumn: 'id', tenantColumn: null, contentColumns: ['text'] },
  ...{ contentTemplate: null, payloadColumns: [], filter: null },
  ...changes,
});

/** The ids that the source finds from 41 to 60, or the fault. */
async function ids(spec: TableSpec): Promise<readonly bigint[] | Fault> {
  try {
    return await services.source.ids(spec, { after: 40n, upTo: 60n }, 1_000, signal);
  } catch (error) {
    if (error instanceof Fault) return error;
    // The server refuses it in a way that is not listed; it is an answer all the same.
    assert.match(String((error as { code?: unknown }).code), /^(?:ER_|WARN_)/u, String(error));
    return new Fault('unexpected', '');
  }
}

describe('names in SQL, on MariaDB', () => {
  test('an accepted name is that very name', async () => {
    const accepted = fc
      .oneof(hostileName, fc.string({ unit: 'grapheme', minLength: 1, maxLength: 64 }))
      .filter((name) => identifierProblem(name) === null && !/^(?:t|id|text|n)$/iu.test(name));
    await fc.assert(
      fc.asyncProperty(accepted, accepted, async (name, column) => {
        // Quoted by the driver, which shares no code with the product.
        const made = mysql.escapeId(name, true);
        await sql.query(`CREATE TABLE ${made} (id BIGINT PRIMARY KEY, ${mysql.escapeId(column, true)} TEXT)`);
        try {
          await sql.query(`INSERT INTO ${made} VALUES (50, 'here')`);
          const spec = table({ table: name, contentColumns: [column], payloadColumns: [column] });
          const { rows } = await services.source.page(
            spec,
            { after: 0n, upTo: 99n },
            { maxRows: 10, maxBytes: 1_000 },
            signal,
          );
          assert.equal(rows.length, 1);
          assert.ok(
            JSON.stringify(rows, (_, value: unknown) =>
              typeof value === 'bigint' ? String(value) : value,
            ).includes('here'),
          );
        } finally {
          await sql.query(`DROP TABLE ${made}`);
        }
      }),
      { numRuns: RUNS / 2 },
    );
  });

  test('a hostile name is refused before it is sent, wherever it stands', async () => {
    const refused = hostileName.filter((name) => identifierProblem(name) !== null);
    await fc.assert(
      fc.asyncProperty(refused, async (name) => {
        const specs = [{ database: name }, { table: name }, { idColumn: name }];
        for (const spec of specs) {
          const fault = await ids(table(spec));
          assert.ok(fault instanceof Fault);
          assert.equal(fault.code, 'source_misconfigured', JSON.stringify(spec));
        }
        const columns: Partial<TableSpec>[] = [
          { tenantColumn: name },
          { contentColumns: [name] },
          { payloadColumns: [name] },
        ];
        for (const spec of columns) {
          const page = services.source.page(
            table(spec),
            { after: 40n, upTo: 60n },
            { maxRows: 10, maxBytes: 1_000 },
            signal,
          );
          await assert.rejects(page, { code: 'source_misconfigured' });
        }
        assert.throws(() => quoteIdentifier(name), Fault);
      }),
      { numRuns: RUNS },
    );
  });

  test('a filter stays within its parentheses: no id outside of the range, and nothing is written', async () => {
    const parts = [
      '(',
      ')',
      "'",
      '"',
      '`',
      '\\',
      "\\'",
      "''",
      '--',
      '-- ',
      '#',
      '/*',
      '/*!',
      '*/',
      ';',
      '\0',
      '\n',
      ' or 1=1 ',
      ' or ',
      ' and ',
      ' not ',
      '1=1',
      'n',
      'id',
      ' > 5 ',
      ' union select id from t ',
      ' limit 99 ',
      ' order by 1 ',
      ' into outfile ',
      ' for update ',
      "'a'",
      '1',
      ',',
    ];
    const hostile = fc
      .array(fc.constantFrom(...parts), { minLength: 1, maxLength: 8 })
      .map((list) => list.join(''));
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(
        hostile.filter((filter) => filterProblem(filter) === null),
        async (filter) => {
          const found = await ids(table({ filter }));
          if (found instanceof Fault) return;
          answered += 1;
          for (const id of found) assert.ok(id > 40n && id <= 60n, `${id} by ${filter}`);
        },
      ),
      {
        numRuns: RUNS * 3,
        examples: [['1=1 or 1=1'], ["n = '\\\\' or 1=1 or '''' = ''"], ['n in (select n from t)']],
      },
    );
    assert.ok(answered >= 3, 'the server understood none of the filters');
    for (const filter of [
      '1=1) or (1=1',
      "n = '\\' or 1=1) -- '",
      '1=1 /*',
      '1=1; drop table t',
      "'",
      '1=1 #',
    ]) {
      assert.notEqual(filterProblem(filter), null, filter);
    }
    const [[left]] = (await sql.query('SELECT COUNT(*) AS count FROM t')) as unknown as [[{ count: number }]];
    assert.equal(left.count, 100);
  });
});
