import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { BOUNDS, EVERYTHING, isFault, NotPossible, signal } from './source-bench.ts';
import type { SourceCheck } from './source-bench.ts';

/** Who may read what, and what the server says of it. */
export const EXAMINE_CHECKS: readonly SourceCheck[] = [
  {
    name: 'a wrong password, a missing table and a missing column are told apart',
    async run(source, bench) {
      const table = await bench.records('faults', [[1n, 'a']]);
      for (const call of ['page', 'examine'] as const) {
        const attempt = (from: typeof source, of = table): Promise<unknown> =>
          call === 'page' ? from.page(of, EVERYTHING, BOUNDS, signal) : from.examine(of, signal);
        await assert.rejects(
          bench.with({ MYSQL_PASSWORD: 'wrong' }, (other) => attempt(other)),
          isFault('source_access_denied'),
        );
        await assert.rejects(
          attempt(source, bench.spec('no_such_table')),
          isFault('source_table_missing', new RegExp(`${table.database}\\..*no_such_table`, 'u')),
        );
        await assert.rejects(
          bench.with({ MYSQL_DATABASE: 'ferry_no_such_base' }, (other) =>
            attempt(other, { ...table, database: 'ferry_no_such_base' }),
          ),
          isFault('source_table_missing', /ferry_no_such_base/u),
        );
      }
      const incomplete = { ...table, contentColumns: ['no_such_column'] };
      await assert.rejects(
        source.page(incomplete, EVERYTHING, BOUNDS, signal),
        isFault('source_table_missing', /no_such_column/u),
      );
    },
  },
  {
    name: 'examine describes the server and the table',
    async run(source, bench) {
      const table = {
        ...(await bench.table(
          'examined',
          'id BIGINT PRIMARY KEY, member_code VARCHAR(9), Title TEXT NOT NULL, parse_content LONGTEXT, price INT',
          "(-7, 'm', 't', 'c', 1), (9223372036854775807, 'm', 't', 'c', 1)",
        )),
        contentColumns: ['TITLE', 'parse_content'],
        payloadColumns: ['price', 'gone'],
      };
      const found = await source.examine(table, signal);
      assert.match(found.server, /^(?:MySQL|MariaDB) \d+\.\d+/u);
      assert.equal(found.isSupported, true);
      assert.equal(found.isEncrypted, bench.settings.MYSQL_TLS !== 'disabled');
      assert.equal(found.isLocal, /^(?:localhost|127\.0\.0\.1)$/.test(bench.settings.MYSQL_HOST));
      assert.equal(found.rowsPerSecond, bench.settings.MYSQL_ROWS_PER_SECOND ?? null);
      assert.equal(found.canWrite, true, 'the account has just made a table');
      assert.equal(found.relation, 'table');
      assert.deepEqual(
        found.columns.map(({ name, isNullable }) => [name, isNullable]),
        [
          ['id', false],
          ['member_code', true],
          ['TITLE', false],
          ['parse_content', true],
          ['price', true],
        ],
      );
      const [id, tenant] = found.columns;
      assert.match(id?.type ?? '', /^bigint/u);
      assert.equal(id?.collation, null);
      assert.match(tenant?.collation ?? '', /^utf8mb4/u);
      assert.deepEqual(found.missingColumns, ['gone']);
      const { idIndex, hasNullIds, hasDuplicateIds, smallestId, largestId, rows } = found;
      assert.deepEqual([idIndex, hasNullIds, hasDuplicateIds, rows], ['unique', false, false, 2]);
      assert.deepEqual([smallestId, largestId], [-7n, 2n ** 63n - 1n]);
    },
  },
  {
    name: 'examine finds what is wrong with ids, and only within the filter',
    async run(source, bench) {
      const unkeyed = await bench.table(
        'unkeyed',
        'id INT, member_code INT, parse_content TEXT',
        "(1, 1, 'a'), (2, 1, 'b'), (2, 1, 'c'), (NULL, 1, 'd')",
      );
      const facts = async (changes: Partial<typeof unkeyed>) => {
        const { idIndex, hasNullIds, hasDuplicateIds, smallestId, largestId, rows } = await source.examine(
          { ...unkeyed, ...changes },
          signal,
        );
        return [idIndex, hasNullIds, hasDuplicateIds, smallestId, largestId, rows];
      };
      assert.deepEqual(await facts({}), ['none', true, true, 1n, 2n, 4]);
      assert.deepEqual(await facts({ filter: 'id = 1 OR id = 1' }), ['none', false, false, 1n, 1n, 1]);
      assert.deepEqual(await facts({ filter: 'FALSE' }), ['none', false, false, null, null, 0]);
      await bench.sql(`ALTER TABLE ${unkeyed.table} ADD KEY (id), ADD UNIQUE KEY (id, parse_content(9))`);
      assert.deepEqual(await facts({}), ['ordinary', true, true, 1n, 2n, 4]);
      const missing = await source.examine({ ...unkeyed, idColumn: 'key' }, signal);
      assert.deepEqual([missing.missingColumns, missing.rows], [['key'], 4]);
    },
  },
  {
    name: 'examine sees unsigned ids beyond 2^63 - 1 exactly',
    async run(source, bench) {
      const table = await bench.table(
        'beyond',
        'id BIGINT UNSIGNED PRIMARY KEY, member_code INT, parse_content TEXT',
        "(3, 1, 'a'), (18446744073709551615, 1, 'b')",
      );
      const { smallestId, largestId, rows } = await source.examine(table, signal);
      assert.deepEqual([smallestId, largestId, rows], [3n, 2n ** 64n - 1n, 2]);
    },
  },
  {
    name: 'a view is read like a table, and examine says that it is one',
    async run(source, bench) {
      const table = await bench.records('viewed', [
        [1n, 'a'],
        [2n, null],
      ]);
      const view = { ...table, table: `${table.table}_view` };
      await bench.sql(`CREATE OR REPLACE VIEW ${view.table} AS SELECT * FROM ${table.table}`);
      try {
        const found = await source.examine(view, signal);
        assert.deepEqual([found.relation, found.rows, found.hasDuplicateIds], ['view', 2, false]);
        assert.deepEqual([found.missingColumns, found.largestId], [[], 2n]);
        const { rows } = await source.page(view, EVERYTHING, BOUNDS, signal);
        assert.deepEqual(
          rows.map(({ id, content }) => [id, content]),
          [
            [1n, 'a'],
            [2n, null],
          ],
        );
      } finally {
        await bench.sql(`DROP VIEW ${view.table}`);
      }
    },
  },
  {
    name: 'examine blames the filter for what the server rejects',
    async run(source, bench) {
      const table = await bench.records('refused_filter', []);
      for (const filter of ['id > > 1', 'no_such_column = 1', 'ferry_no_such_function(id) = 1', '1) OR (1']) {
        await assert.rejects(
          source.examine({ ...table, filter }, signal),
          isFault('source_misconfigured', /MYSQL_FILTER[^.]/u),
          filter,
        );
      }
    },
  },
  {
    name: 'an account that may only SELECT from the table suffices, and is known to be read-only',
    async run(_source, bench) {
      const table = await bench.records('granted', [[1n, 'a']]);
      const other = await bench.records('not_granted', [[1n, 'a']]);
      const [name, password] = ['ferry_check_reader', `Aa1!${randomBytes(12).toString('hex')}`];
      try {
        await bench.sql(`DROP USER IF EXISTS ${name}@'%'`);
        await bench.sql(`CREATE USER ${name}@'%' IDENTIFIED BY '${password}'`);
      } catch (error) {
        throw new NotPossible(`the account may not create a user (${(error as { code?: string }).code})`);
      }
      try {
        await bench.sql(`GRANT SELECT ON ${table.database}.${table.table} TO ${name}@'%'`);
        await bench.with({ MYSQL_USER: name, MYSQL_PASSWORD: password }, async (reader) => {
          const found = await reader.examine(table, signal);
          assert.equal(found.canWrite, false);
          assert.deepEqual([found.idIndex, found.rows, found.missingColumns], ['unique', 1, []]);
          assert.equal((await reader.page(table, EVERYTHING, BOUNDS, signal)).rows.length, 1);
          assert.deepEqual(await reader.existing(table, [1n], signal), new Set([1n]));
          await assert.rejects(reader.examine(other, signal), isFault('source_access_denied'));
        });
      } finally {
        await bench.sql(`DROP USER ${name}@'%'`);
      }
    },
  },
];
