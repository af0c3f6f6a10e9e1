import assert from 'node:assert/strict';
import { MAX_CONTENT_BYTES } from '../../src/source/query.ts';
import type { Source, TableSpec } from '../../src/source/source.ts';
import { BOUNDS, EVERYTHING, isFault, NotPossible, signal } from './source-bench.ts';
import type { SourceBench, SourceCheck } from './source-bench.ts';

/** What became of each row's content. */
async function contents(source: Source, table: TableSpec): Promise<(string | null)[]> {
  const { rows } = await source.page(table, EVERYTHING, BOUNDS, signal);
  return rows.map(({ content, refused }) => (refused === null ? content : `refused: ${refused}`));
}

/** @throws NotPossible if the server does not take 16 MiB at once */
async function requireLargePackets(bench: SourceBench): Promise<void> {
  const [row] = await bench.sql('SELECT @@max_allowed_packet AS size');
  const size = Number(row?.['size']);
  if (size < MAX_CONTENT_BYTES + 1_000_000) throw new NotPossible(`max_allowed_packet is ${size}`);
}

/** How rows become text, tenant and copied values. */
export const CONTENT_CHECKS: readonly SourceCheck[] = [
  {
    name: 'NULL, empty and blank content stay what they are',
    async run(source, bench) {
      const texts = [null, '', ' \t\n', 'text'];
      const table = await bench.records(
        'blank',
        texts.map((text, index) => [BigInt(index), text]),
      );
      assert.deepEqual(await contents(source, table), texts);
    },
  },
  {
    name: 'text of every script arrives unchanged, emoji, combining marks and controls included',
    async run(source, bench) {
      const texts = [
        '漢字かな交じり文',
        '👩‍👩‍👧 🇩🇪 𠀀',
        'e\u0301 \0 \\ \' " ` \u2028',
        '\ufeffwith a mark',
        'ไทย',
        ' kept ',
      ];
      const table = await bench.records(
        'scripts',
        texts.map((text, index) => [BigInt(index), text]),
      );
      assert.deepEqual(await contents(source, table), texts);
    },
  },
  {
    name: 'columns of other character sets are converted',
    async run(source, bench) {
      const table = await bench.table(
        'encoded',
        'id INT PRIMARY KEY, member_code INT, latin TEXT CHARACTER SET latin1, gbk TEXT CHARACTER SET gbk, wide TEXT CHARACTER SET utf16',
        "(1, NULL, 'Größe €', '汉字', '👍')",
      );
      const read = (column: string) => contents(source, { ...table, contentColumns: [column] });
      assert.deepEqual(await read('latin'), ['Größe €']);
      assert.deepEqual(await read('gbk'), ['汉字']);
      assert.deepEqual(await read('wide'), ['👍']);
    },
  },
  {
    name: 'bytes are read as UTF-8; what is not UTF-8 is refused for its row alone',
    async run(source, bench) {
      const table = await bench.table(
        'bytes',
        'id INT PRIMARY KEY, member_code INT, parse_content BLOB',
        "(1, 1, 'Größe'), (2, 1, x'c328'), (3, 1, x'eda080'), (4, 1, 'after')",
      );
      const invalid = 'refused: content_invalid';
      assert.deepEqual(await contents(source, table), ['Größe', invalid, invalid, 'after']);
    },
  },
  {
    name: 'content above 16 MiB is refused unread, and 16 MiB is taken',
    async run(source, bench) {
      await requireLargePackets(bench);
      const table = await bench.records('large', [[1n, 'before']]);
      const half = MAX_CONTENT_BYTES / 2;
      for (const row of [
        `2, 'm', REPEAT('é', ${half})`,
        `3, 'm', CONCAT(REPEAT('é', ${half}), 'x')`,
        "4, 'm', 'after'",
      ])
        await bench.sql(`INSERT INTO ${table.table} VALUES (${row})`);
      const wide = { maxRows: 10, maxBytes: 2 * MAX_CONTENT_BYTES };
      const { rows } = await source.page(table, EVERYTHING, wide, signal);
      assert.deepEqual(
        rows.map(({ content, refused }) => [content?.length ?? null, refused]),
        [
          [6, null],
          [half, null],
          [null, 'content_too_large'],
          [5, null],
        ],
      );
      const sizes = await source.sizes(table, { after: 2n, upTo: 3n }, 9, signal);
      assert.deepEqual(sizes, [{ id: 3n, bytes: MAX_CONTENT_BYTES + 1 }]);
    },
  },
  {
    name: 'several content columns are joined by a blank line, without NULL and blank ones',
    async run(source, bench) {
      const table = await severalColumns(bench);
      const both = { ...table, contentColumns: ['title', 'parse_content'] };
      assert.deepEqual(await contents(source, both), [
        'Title\n\n正文 👍',
        'only body',
        ' Title ',
        null,
        null,
        'refused: content_invalid',
      ]);
      const turned = { ...table, contentColumns: ['parse_content', 'title'] };
      assert.equal((await contents(source, turned))[0], '正文 👍\n\nTitle');
      assert.deepEqual(
        (await source.sizes(both, EVERYTHING, 9, signal)).map(({ bytes }) => bytes),
        [16, 9, 9, null, 1, 5],
      );
    },
  },
  {
    name: 'a template shapes the content, and is never content by itself',
    async run(source, bench) {
      const table = {
        ...(await severalColumns(bench)),
        contentColumns: ['title', 'parse_content'],
        contentTemplate: '{{{parse_content}}}\\n# {TITLE}',
      };
      assert.deepEqual(await contents(source, table), [
        '{正文 👍}\n# Title',
        '{only body}\n# ',
        '{ \t}\n#  Title ',
        null,
        null,
        'refused: content_invalid',
      ]);
      const wrong = { ...table, contentTemplate: '{title}' };
      await assert.rejects(
        contents(source, wrong),
        isFault('source_misconfigured', /MYSQL_CONTENT_TEMPLATE.*\{parse_content\}/u),
      );
    },
  },
  {
    name: 'the bound of 16 MiB is over all content columns together',
    async run(source, bench) {
      await requireLargePackets(bench);
      const table = await bench.table(
        'large_together',
        'id INT PRIMARY KEY, member_code INT, title LONGTEXT, parse_content LONGTEXT',
      );
      const half = MAX_CONTENT_BYTES / 2;
      for (const row of [
        `1, 1, REPEAT('a', ${half}), REPEAT('b', ${half})`,
        `2, 1, REPEAT('a', ${half}), REPEAT('b', ${half + 1})`,
      ])
        await bench.sql(`INSERT INTO ${table.table} VALUES (${row})`);
      const both = { ...table, contentColumns: ['title', 'parse_content'] };
      const wide = { maxRows: 10, maxBytes: 2 * MAX_CONTENT_BYTES };
      const { rows } = await source.page(both, EVERYTHING, wide, signal);
      assert.deepEqual(
        rows.map(({ content, refused }) => [content?.length ?? null, refused]),
        [
          [MAX_CONTENT_BYTES + 2, null],
          [null, 'content_too_large'],
        ],
      );
      const narrow = await source.page(
        both,
        EVERYTHING,
        { maxRows: 10, maxBytes: MAX_CONTENT_BYTES },
        signal,
      );
      assert.equal(narrow.upTo, EVERYTHING.upTo, 'what is refused takes no space');
    },
  },
  {
    name: 'the tenant is text or null, and null where the table has none',
    async run(source, bench) {
      const table = await bench.table(
        'tenants',
        'id INT PRIMARY KEY, member_code INT, team VARCHAR(9), parse_content TEXT',
        "(1, NULL, '', 'a'), (2, 7, '队', 'b')",
      );
      const read = async (tenantColumn: string | null) => {
        const { rows } = await source.page({ ...table, tenantColumn }, EVERYTHING, BOUNDS, signal);
        return rows.map(({ tenant }) => tenant);
      };
      assert.deepEqual(await read('member_code'), [null, '7']);
      assert.deepEqual(await read('team'), ['', '队']);
      assert.deepEqual(await read(null), [null, null]);
    },
  },
  {
    name: 'copied columns of every type keep their value, and bytes are refused',
    async run(source, bench) {
      const columns = {
        small: 'SMALLINT',
        huge: 'BIGINT UNSIGNED',
        price: 'DECIMAL(20, 4)',
        ratio: 'DOUBLE',
        flag: 'BIT(1)',
        bits: 'BIT(9)',
        tiny: 'TINYINT(1)',
        day: 'DATE',
        at: 'DATETIME(3)',
        stamp: 'TIMESTAMP NULL',
        era: 'YEAR',
        kind: "ENUM('a', 'b')",
        title: 'VARCHAR(20)',
        json: 'JSON',
        nothing: 'INT',
        zero: 'DATE',
        raw: 'VARBINARY(4)',
        place: 'POINT',
      };
      const definitions = Object.entries(columns).map(([name, type]) => `\`${name}\` ${type}`);
      const table = await bench.table(
        'copied',
        `id INT PRIMARY KEY, member_code INT, parse_content TEXT, ${definitions.join(', ')}`,
      );
      await bench.sql("SET time_zone = '+05:00', sql_mode = ''");
      await bench.sql(
        `INSERT INTO ${table.table} VALUES (1, 1, 'x', -3, 18446744073709551615, 12.5, 0.1, b'1', b'100000001', 2,
          '2024-02-29', '2024-02-29 12:00:00.25', '2024-02-29 12:00:00', 1999, 'b', '漢', '{"id": 9007199254740993}',
          NULL, '0000-00-00', 'raw', POINT(1, 2))`,
      );
      await bench.sql('SET time_zone = DEFAULT, sql_mode = DEFAULT');
      const payloadColumns = Object.keys(columns).filter((name) => name !== 'raw' && name !== 'place');
      const { rows } = await source.page({ ...table, payloadColumns }, EVERYTHING, BOUNDS, signal);
      assert.deepEqual(rows[0]?.copied, {
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
        json: '{"id": 9007199254740993}',
        nothing: null,
        zero: null,
      });
      for (const name of ['raw', 'place']) {
        const refused = isFault('source_misconfigured', new RegExp(`MYSQL_PAYLOAD_COLUMNS.*"${name}"`, 'u'));
        const asked = { ...table, payloadColumns: [name] };
        await assert.rejects(source.page(asked, EVERYTHING, BOUNDS, signal), refused);
      }
    },
  },
];

function severalColumns(bench: SourceBench): Promise<TableSpec> {
  return bench.table(
    'several',
    'id INT PRIMARY KEY, member_code INT, title VARBINARY(20), parse_content TEXT',
    "(1, 1, 'Title', '正文 👍'), (2, 1, NULL, 'only body'), (3, 1, ' Title ', ' \t'), (4, 1, NULL, NULL)",
    "(5, 1, '', ' '), (6, 1, x'c328', 'abc')",
  );
}
