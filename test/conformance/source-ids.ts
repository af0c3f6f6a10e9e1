import assert from 'node:assert/strict';
import { BOUNDS, EVERYTHING, isFault, signal } from './source-bench.ts';
import type { SourceCheck } from './source-bench.ts';

const LARGEST = 2n ** 63n - 1n;
const IDS = [-(2n ** 63n), -(2n ** 53n) - 1n, -1n, 0n, 1n, 2n ** 53n, 2n ** 53n + 1n, LARGEST];

/** What keyset pages rely on: integers that are exact, unique and never NULL. */
export const ID_CHECKS: readonly SourceCheck[] = [
  {
    name: 'ids are exact over the whole of 64 bits, in every call',
    async run(source, bench) {
      const table = await bench.records(
        'extremes',
        IDS.map((id) => [id, `record ${id}`]),
      );
      assert.deepEqual(await source.ids(table, EVERYTHING, 100, signal), IDS);
      const { rows } = await source.page(table, EVERYTHING, BOUNDS, signal);
      assert.deepEqual(
        rows.map((row) => [row.id, row.content]),
        IDS.map((id) => [id, `record ${id}`]),
      );
      const sizes = await source.sizes(table, EVERYTHING, 100, signal);
      assert.deepEqual(
        sizes.map(({ id }) => id),
        IDS,
      );
      const asked = [2n ** 53n, 2n ** 53n + 1n, 2n ** 53n + 2n, -(2n ** 53n) - 1n, LARGEST, LARGEST - 1n];
      assert.deepEqual(
        await source.existing(table, asked, signal),
        new Set(asked.filter((id) => IDS.includes(id))),
      );
    },
  },
  {
    name: 'ids lie in (after, upTo], ascending, and at most as many as asked for',
    async run(source, bench) {
      const table = await bench.records(
        'ranges',
        IDS.map((id) => [id, 'x']),
      );
      const within = { after: -1n, upTo: 2n ** 53n };
      assert.deepEqual(await source.ids(table, within, 100, signal), [0n, 1n, 2n ** 53n]);
      assert.deepEqual(await source.ids(table, within, 2, signal), [0n, 1n]);
      assert.deepEqual(await source.ids(table, { after: 2n ** 53n, upTo: LARGEST - 1n }, 9, signal), [
        2n ** 53n + 1n,
      ]);
      assert.deepEqual(await source.ids(table, EVERYTHING, 3, signal), IDS.slice(0, 3));
      assert.deepEqual(await source.ids(table, { after: 5n, upTo: 5n }, 3, signal), []);
      const sizes = await source.sizes(table, within, 2, signal);
      assert.deepEqual(
        sizes.map(({ id }) => id),
        [0n, 1n],
      );
      assert.equal(await source.count(table, EVERYTHING, signal), IDS.length);
      assert.equal(await source.count(table, { after: 0n, upTo: 2n ** 53n }, signal), 2);
      assert.equal(await source.count(table, { after: 5n, upTo: 5n }, signal), 0);
    },
  },
  {
    name: 'an unsigned id above 2^63 - 1 is refused, not left out',
    async run(source, bench) {
      const table = await bench.table(
        'positive',
        'id BIGINT UNSIGNED PRIMARY KEY, member_code INT, parse_content TEXT',
        "(1, 1, 'a'), (9223372036854775807, 1, 'b')",
      );
      assert.deepEqual(await source.ids(table, EVERYTHING, 9, signal), [1n, LARGEST]);
      await bench.sql(`INSERT INTO ${table.table} VALUES (9223372036854775808, 1, 'c')`);
      const refused = isFault('source_misconfigured', /MYSQL_ID_COLUMN.*2\^63/u);
      await assert.rejects(source.ids(table, EVERYTHING, 9, signal), refused);
      await assert.rejects(source.page(table, EVERYTHING, BOUNDS, signal), refused);
    },
  },
  {
    name: 'a repeated id is refused, also where a page would end between the two',
    async run(source, bench) {
      const table = await bench.table(
        'repeated',
        'id INT NOT NULL, member_code INT, parse_content TEXT, KEY (id)',
        "(1, 1, 'a'), (2, 1, 'b'), (2, 1, 'c'), (3, 1, 'd')",
      );
      const refused = isFault('source_misconfigured', /MYSQL_ID_COLUMN.*not unique/u);
      for (const limit of [2, 3, 9]) {
        await assert.rejects(source.ids(table, EVERYTHING, limit, signal), refused);
        await assert.rejects(
          source.page(table, EVERYTHING, { ...BOUNDS, maxRows: limit }, signal),
          refused,
          `a page of ${limit}`,
        );
        await assert.rejects(source.sizes(table, EVERYTHING, limit, signal), refused);
      }
      const tight = { maxRows: 100, maxBytes: 2 };
      await assert.rejects(source.page(table, EVERYTHING, tight, signal), refused, 'an end by bytes');
      assert.deepEqual(await source.ids(table, EVERYTHING, 1, signal), [1n]);
      assert.deepEqual(await source.ids(table, { after: 2n, upTo: 9n }, 9, signal), [3n]);
    },
  },
  {
    name: 'a NULL id is refused where a scan begins, not left out',
    async run(source, bench) {
      const table = await bench.table(
        'nullable',
        'id INT NULL UNIQUE, member_code INT, parse_content TEXT',
        "(1, 1, 'a'), (2, 1, 'b')",
      );
      assert.deepEqual(await source.ids(table, EVERYTHING, 9, signal), [1n, 2n]);
      await bench.sql(`INSERT INTO ${table.table} VALUES (NULL, 1, 'c')`);
      const refused = isFault('source_misconfigured', /MYSQL_ID_COLUMN.*NULL/u);
      await assert.rejects(source.ids(table, EVERYTHING, 9, signal), refused);
      await assert.rejects(source.page(table, EVERYTHING, BOUNDS, signal), refused);
      const first = { ...EVERYTHING, upTo: 1n };
      await assert.rejects(source.ids(table, first, 9, signal), refused, 'a range with an end');
      await assert.rejects(source.page(table, first, BOUNDS, signal), refused, 'a range with an end');
      assert.deepEqual(await source.ids(table, { after: 1n, upTo: 2n }, 9, signal), [2n], 'once a scan');
      const filtered = { ...table, filter: 'id IS NOT NULL OR FALSE' };
      assert.deepEqual(await source.ids(filtered, EVERYTHING, 9, signal), [1n, 2n], 'the filter hides it');
    },
  },
  {
    name: 'an id column of text is refused',
    async run(source, bench) {
      const table = await bench.table(
        'named',
        'id VARCHAR(9) PRIMARY KEY, member_code INT, parse_content TEXT',
        "('1', 1, 'a')",
      );
      const refused = isFault('source_misconfigured', /MYSQL_ID_COLUMN.*integer/u);
      await assert.rejects(source.ids(table, EVERYTHING, 9, signal), refused);
      await assert.rejects(source.page(table, EVERYTHING, BOUNDS, signal), refused);
    },
  },
  {
    name: 'existing() looks up any number of ids, and finds only those that are there',
    async run(source, bench) {
      const table = await bench.records('looked_up', [
        [1n, 'a'],
        [1_500n, 'b'],
        [2_499n, 'c'],
      ]);
      const asked = Array.from({ length: 2_500 }, (_, index) => BigInt(index));
      assert.deepEqual(await source.existing(table, asked, signal), new Set([1n, 1_500n, 2_499n]));
      assert.deepEqual(await source.existing(table, [], signal), new Set());
    },
  },
];
