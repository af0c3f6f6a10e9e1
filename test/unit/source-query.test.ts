import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Fault } from '../../src/errors.ts';
import { filterProblem } from '../../src/source/filter.ts';
import { identifierProblem, quoteIdentifier } from '../../src/source/identifier.ts';
import { countQuery, existingQuery, idsQuery, rowsQuery, sizesQuery } from '../../src/source/query.ts';
import { sourceSettings } from '../../src/source/settings.ts';
import type { TableSpec } from '../../src/source/source.ts';
import { sourceName, tableSettings, tableSpec } from '../../src/source/table-settings.ts';

const TABLE: TableSpec = {
  database: 'shop',
  table: 'ip_summary',
  idColumn: 'id',
  tenantColumn: 'member_code',
  contentColumns: ['parse_content'],
  contentTemplate: null,
  payloadColumns: ['title'],
  filter: null,
};

describe('identifiers', () => {
  it('take the names that MySQL has in practice', () => {
    for (const name of [
      'id',
      'ip_summary',
      'my-table',
      '$x',
      '客户表',
      'Größe',
      'two words',
      '2024',
      'a'.repeat(64),
    ]) {
      assert.equal(identifierProblem(name), null, name);
    }
  });

  it('refuse what no setting should hold', () => {
    const names = [
      '',
      ' id',
      'id ',
      'a`b',
      "a'b",
      'a;b',
      'a.b',
      'a\0b',
      'a\nb',
      'a(b',
      'a/*b',
      '😀',
      '𠀀',
      'a'.repeat(65),
      '__proto__',
      '__defineSetter__',
    ];
    for (const name of names) {
      assert.notEqual(identifierProblem(name), null, name);
      assert.throws(() => quoteIdentifier(name), Fault);
    }
  });

  it('are one quoted token whatever they are', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (name) => {
        if (identifierProblem(name) !== null) return;
        assert.match(quoteIdentifier(name), /^`[^`]+`$/u);
      }),
    );
  });
});

describe('filters', () => {
  it('take conditions, with anything inside quotes', () => {
    const filters = [
      'deleted = 0',
      "title <> 'a;b' AND note = '-- no # comment /* here'",
      "a = 'it''s (' OR b = 'it\\\\s )' OR `od``d(` = \"\"\"(\"",
      "(a IN (1, 2) AND b BETWEEN '2024-01-01' AND NOW())",
      'a - -1 = 2',
      "title = 'why?'",
    ];
    for (const filter of filters) assert.equal(filterProblem(filter), null, filter);
  });

  it('refuse a quote after a backslash: with NO_BACKSLASH_ESCAPES or ANSI_QUOTES the text ends there', () => {
    for (const filter of ["a = 'it\\'s'", "a = '\\' OR 1=1) -- '", 'a = "\\" OR 1=1) -- "']) {
      assert.match(filterProblem(filter) ?? '', /backslash/u, filter);
    }
  });

  it('refuse whatever could leave the parentheses or hide what follows', () => {
    const filters = [
      '',
      '  ',
      'a = 1; DROP TABLE x',
      'a = 1 -- x',
      'a = 1 # x',
      'a /* x',
      'a */ x',
      '1) OR (1',
      '(1',
      '1)',
    ];
    for (const filter of [...filters, "a = 'x", "a = 'x\\'", 'a = "x', 'a = `x', 'a\0b']) {
      assert.notEqual(filterProblem(filter), null, filter);
    }
  });

  it('stay inside the parentheses that they are put into', () => {
    const token = fc.constantFrom('(', ')', "'", '"', '`', '\\', ';', '--', '#', '/*', 'a', ' ', 'OR', '1');
    fc.assert(
      fc.property(fc.array(token, { maxLength: 12 }), (tokens) => {
        const filter = tokens.join('');
        if (filterProblem(filter) !== null) return;
        assert.equal(closingOf(`(${filter}) AND tail`), filter.length + 1, filter);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('queries', () => {
  const filtered = { ...TABLE, filter: 'a = 1 OR b = 2' };
  const from = 'FROM `shop`.`ip_summary` WHERE';

  it('leave out bounds that no id can exceed', () => {
    const everything = { after: -(2n ** 63n) - 1n, upTo: 2n ** 63n - 1n };
    assert.equal(idsQuery(TABLE, everything, 10), `SELECT \`id\` ${from} TRUE ORDER BY \`id\` LIMIT 10`);
    assert.equal(countQuery(filtered, everything), `SELECT COUNT(*) ${from} (a = 1 OR b = 2)`);
  });

  it('page by key within the range, with exact ids', () => {
    const range = { after: -(2n ** 63n), upTo: 2n ** 53n + 1n };
    const where = '`id` > -9223372036854775808 AND `id` <= 9007199254740993';
    assert.equal(idsQuery(TABLE, range, 10), `SELECT \`id\` ${from} ${where} ORDER BY \`id\` LIMIT 10`);
    assert.equal(
      sizesQuery(filtered, range, 10),
      `SELECT \`id\`, OCTET_LENGTH(\`parse_content\`) ${from} ${where} AND (a = 1 OR b = 2) ORDER BY \`id\` LIMIT 10`,
    );
    assert.equal(countQuery(filtered, range), `SELECT COUNT(*) ${from} ${where} AND (a = 1 OR b = 2)`);
  });

  it('leave out the upper end where there is none', () => {
    const sql = countQuery(filtered, { after: 7n, upTo: 2n ** 63n - 1n });
    assert.equal(sql, `SELECT COUNT(*) ${from} \`id\` > 7 AND (a = 1 OR b = 2)`);
  });

  it('read rows by id and size, and look ids up without the filter', () => {
    const size = 'OCTET_LENGTH(`parse_content`)';
    assert.equal(
      rowsQuery({ ...filtered, tenantColumn: null }, [-5n, 8n]),
      `SELECT \`id\`, NULL, ${size}, CASE WHEN ${size} <= 16777216 THEN \`parse_content\` END, \`title\` ${from} ` +
        '`id` >= -5 AND `id` <= 8 AND `id` IN (-5,8) AND (a = 1 OR b = 2) ORDER BY `id`',
    );
    assert.equal(existingQuery(filtered, [1n, 2n]), `SELECT \`id\` ${from} \`id\` IN (1,2)`);
  });

  it('refuse names, filters and limits that no settings could hold', () => {
    const range = { after: 0n, upTo: 1n };
    assert.throws(() => idsQuery({ ...TABLE, table: 'a`b' }, range, 1), Fault);
    assert.throws(() => idsQuery({ ...TABLE, filter: '1) OR (1' }, range, 1), Fault);
    for (const limit of [0, -1, 1.5, NaN]) assert.throws(() => idsQuery(TABLE, range, limit), RangeError);
  });
});

describe('settings', () => {
  const NEEDED = { MYSQL_HOST: 'db', MYSQL_USER: 'reader', MYSQL_DATABASE: 'shop' };
  const problems = (schema: typeof sourceSettings | typeof tableSettings, values: Record<string, string>) =>
    schema.safeParse(values).error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? [];

  it('have defaults for all that a default fits', () => {
    assert.deepEqual(sourceSettings.parse(NEEDED), {
      ...NEEDED,
      ...{ MYSQL_PORT: 3306, MYSQL_PASSWORD: '', MYSQL_POOL_SIZE: 10, MYSQL_TLS: 'disabled' },
    });
    const table = tableSpec({ ...tableSettings.parse({}), MYSQL_DATABASE: 'shop' });
    assert.deepEqual(table, { ...TABLE, payloadColumns: [] });
    assert.equal(sourceName({}, table), 'shop/ip_summary');
  });

  it('describe every field in a sentence', () => {
    for (const field of Object.values({ ...sourceSettings.shape, ...tableSettings.shape })) {
      assert.match(field.description ?? '', /^[A-Z].*\.$/u);
    }
  });

  it('read tables, tenants, columns and labels', () => {
    const values = {
      MYSQL_TABLE: 'other.t',
      MYSQL_TENANT_COLUMN: 'none',
      MYSQL_PAYLOAD_COLUMNS: ' title, url ,',
    };
    const settings = tableSettings.parse({ ...values, MYSQL_FILTER: 'a = 1', SOURCE_LABEL: 'eu.shop-1' });
    const table = tableSpec({ ...settings, MYSQL_DATABASE: 'shop' });
    assert.deepEqual([table.database, table.table, table.tenantColumn], ['other', 't', null]);
    assert.deepEqual([table.payloadColumns, table.filter], [['title', 'url'], 'a = 1']);
    assert.equal(sourceName(settings, table), 'eu.shop-1/t');
    assert.throws(() => sourceName({}, { ...table, database: '客户' }), /SOURCE_LABEL/u);
  });

  it('say of each problem what was expected', () => {
    assert.deepEqual(problems(sourceSettings, { ...NEEDED, MYSQL_PORT: 'x', MYSQL_TLS: 'yes' }), [
      'MYSQL_PORT: expected a whole number from 1 to 65535',
      'MYSQL_TLS: expected disabled, required or verify',
    ]);
    assert.deepEqual(problems(sourceSettings, { ...NEEDED, MYSQL_PORT: '70000', MYSQL_POOL_SIZE: '1.5' }), [
      'MYSQL_PORT: expected a whole number from 1 to 65535',
      'MYSQL_POOL_SIZE: expected a whole number from 1 to 1000',
    ]);
    const found = problems(tableSettings, {
      ...{ MYSQL_TABLE: 'a.b.c', MYSQL_ID_COLUMN: 'a`b', MYSQL_FILTER: '1) OR (1', SOURCE_LABEL: 'a/b' },
      MYSQL_PAYLOAD_COLUMNS: 'title,text,Title,b;c',
    });
    assert.equal(found.length, 7, found.join('\n'));
    for (const problem of found) assert.match(problem, /^[A-Z_]+: expected /u);
  });
});

/** Where the parenthesis that opens the text is closed, reading quotes as the server does. */
function closingOf(sql: string): number {
  let depth = 0;
  let quote = '';
  for (let at = 0; at < sql.length; at += 1) {
    const character = sql.charAt(at);
    if (quote !== '') {
      if (character === '\\' && quote !== '`') at += 1;
      else if (character === quote) quote = '';
    } else if (`'"\``.includes(character)) quote = character;
    else if (character === '(') depth += 1;
    else if (character === ')' && (depth -= 1) === 0) return at;
  }
  return -1;
}
