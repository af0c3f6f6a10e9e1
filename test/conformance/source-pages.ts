import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IdRange, Source, SourceRow, TableSpec } from '../../src/source/source.ts';
import { BOUNDS, EVERYTHING, isFault, NotPossible, signal } from './source-bench.ts';
import type { SourceCheck } from './source-bench.ts';

/** More pages than any check needs: a source that does not move on must not hang the suite. */
const MAX_PAGES = 1_000;

/** Reads a range page by page as a batch does. */
async function readAll(
  source: Source,
  table: TableSpec,
  range: IdRange,
  bounds: typeof BOUNDS,
): Promise<{ rows: SourceRow[]; ends: bigint[] }> {
  const rows: SourceRow[] = [];
  const ends: bigint[] = [];
  let { after } = range;
  while (after < range.upTo) {
    assert.ok(ends.length < MAX_PAGES, 'the pages do not come to an end');
    const page = await source.page(table, { after, upTo: range.upTo }, bounds, signal);
    assert.ok(page.upTo > after, 'a page does not move on');
    rows.push(...page.rows);
    ends.push((after = page.upTo));
  }
  return { rows, ends };
}

/** How a range is read: within bounds, whole, once, filtered, and only read. */
export const PAGE_CHECKS: readonly SourceCheck[] = [
  {
    name: 'a page ends at the bound of rows or of bytes, and says how far it reaches',
    async run(source, bench) {
      const table = await bench.records(
        'sized',
        [10, 20, 30, 40, 50].map((id) => [BigInt(id), 'x'.repeat(id)]),
      );
      const range = { after: 0n, upTo: 99n };
      const read = async (maxRows: number, maxBytes: number) => {
        const { rows, upTo } = await source.page(table, range, { maxRows, maxBytes }, signal);
        return [rows.map(({ id }) => id), upTo];
      };
      assert.deepEqual(await read(10, 60), [[10n, 20n, 30n], 30n]);
      assert.deepEqual(await read(2, 1_000), [[10n, 20n], 20n]);
      assert.deepEqual(await read(5, 1_000), [[10n, 20n, 30n, 40n, 50n], 99n], 'nothing follows');
      assert.deepEqual(await read(10, 1), [[10n], 10n], 'at least one row');
      const nothing = await source.page(table, { after: 50n, upTo: 99n }, BOUNDS, signal);
      assert.deepEqual(nothing, { rows: [], upTo: 99n });
    },
  },
  {
    name: 'a large row is only told of where the caller wants to be asked first',
    async run(source, bench) {
      const table = await bench.records('deferred', [
        [1n, 'x'.repeat(10)],
        [2n, 'ö'.repeat(20)],
        [3n, 'x'.repeat(10)],
      ]);
      const read = (after: bigint, deferAbove?: number) =>
        source.page(
          table,
          { after, upTo: 99n },
          { maxRows: 10, maxBytes: 30, ...(deferAbove !== undefined && { deferAbove }) },
          signal,
        );
      const idsOf = async (...asked: Parameters<typeof read>) =>
        (await read(...asked)).rows.map(({ id }) => id);
      assert.deepEqual(await idsOf(0n, 30), [1n], 'a page ends before it');
      assert.deepEqual(await read(1n, 30), { rows: [], upTo: 1n, deferredBytes: 40 });
      assert.deepEqual(await idsOf(1n, 40), [2n], 'one of exactly so many bytes is read');
      assert.deepEqual(await idsOf(1n), [2n], 'without the bound, any row is read');
      assert.deepEqual(await idsOf(2n, 30), [3n]);
    },
  },
  {
    name: 'pages hold every row of a range exactly once, wherever the range and the pages are cut',
    async run(source, bench) {
      const rows = Array.from({ length: 60 }, (_, k) => [BigInt(k * k - 300), 'y'.repeat(k)] as const);
      const table = await bench.records('tiled', rows);
      const cuts = [EVERYTHING.after, -300n, -77n, 0n, 1n, 1_000n, 3_181n, EVERYTHING.upTo];
      for (const bounds of [BOUNDS, { maxRows: 1, maxBytes: 1_000 }, { maxRows: 7, maxBytes: 100 }]) {
        const seen: SourceRow[] = [];
        for (const [index, upTo] of cuts.slice(1).entries()) {
          const range = { after: cuts[index] as bigint, upTo };
          const read = await readAll(source, table, range, bounds);
          assert.ok(read.rows.every(({ id }) => id > range.after && id <= range.upTo));
          seen.push(...read.rows);
        }
        assert.deepEqual(
          seen.map(({ id, content }) => [id, content]),
          rows,
        );
      }
    },
  },
  {
    name: 'sizes are bytes as stored; null of NULL',
    async run(source, bench) {
      const table = await bench.records('measured', [
        [1n, 'four'],
        [2n, '漢字'],
        [3n, '👍'],
        [4n, ''],
        [5n, null],
      ]);
      assert.deepEqual(await source.sizes(table, EVERYTHING, 9, signal), [
        { id: 1n, bytes: 4 },
        { id: 2n, bytes: 6 },
        { id: 3n, bytes: 4 },
        { id: 4n, bytes: 0 },
        { id: 5n, bytes: null },
      ]);
    },
  },
  {
    name: 'the filter holds in every call, quotes, question marks and OR included; existing() ignores it',
    async run(source, bench) {
      const table = await bench.records('filtered', [
        [1n, 'why?'],
        [2n, "it's; -- here"],
        [3n, 'no'],
      ]);
      const filter = "parse_content = 'why?' OR parse_content = 'it''s; -- here'";
      const filtered = { ...table, filter };
      assert.deepEqual(await source.ids(filtered, EVERYTHING, 9, signal), [1n, 2n]);
      assert.deepEqual(await source.ids(filtered, { after: 1n, upTo: 9n }, 9, signal), [2n]);
      assert.equal(await source.count(filtered, EVERYTHING, signal), 2);
      const { rows } = await source.page(filtered, EVERYTHING, BOUNDS, signal);
      assert.deepEqual(
        rows.map(({ id }) => id),
        [1n, 2n],
      );
      assert.equal((await source.sizes(filtered, EVERYTHING, 9, signal)).length, 2);
      assert.equal((await source.examine(filtered, signal)).rows, 2);
      assert.deepEqual(await source.existing(filtered, [2n, 3n, 4n], signal), new Set([2n, 3n]));
    },
  },
  {
    name: 'nothing can be written, whatever the filter calls',
    async run(source, bench) {
      const table = await bench.records('guarded', [[1n, 'a']]);
      const victim = await bench.table('victim', 'id INT');
      const call = `${table.database}.${table.table}_strike`;
      await bench.sql(`DROP FUNCTION IF EXISTS ${call}`);
      try {
        await bench.sql(
          `CREATE FUNCTION ${call}() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO ${victim.table} VALUES (1); RETURN 1; END`,
        );
      } catch (error) {
        throw new NotPossible(`the account may not create a function (${(error as { code?: string }).code})`);
      }
      try {
        const filtered = { ...table, filter: `${call}() = 1` };
        const refused = isFault('source_misconfigured', /READ_ONLY/u);
        await assert.rejects(source.ids(filtered, EVERYTHING, 9, signal), refused);
        await assert.rejects(source.page(filtered, EVERYTHING, BOUNDS, signal), refused);
        await assert.rejects(source.examine(filtered, signal), refused);
        assert.deepEqual(await bench.sql(`SELECT id FROM ${victim.table}`), []);
      } finally {
        await bench.sql(`DROP FUNCTION ${call}`);
      }
      for (const filter of ['1 = 1; DELETE FROM t', '1 = 1) OR (1 = 1', '1 = 1 -- ']) {
        const refused = isFault('source_misconfigured', /MYSQL_FILTER/u);
        await assert.rejects(source.ids({ ...table, filter }, EVERYTHING, 9, signal), refused);
      }
    },
  },
  {
    name: 'an abort ends a call with its reason, before and while it runs',
    async run(source, bench) {
      const table = await bench.records('aborted', [[1n, 'a']]);
      const slow = { ...table, filter: 'SLEEP(2) = 0' };
      const reason = new Error('no longer wanted');
      for (const delayMs of [0, 300]) {
        const controller = new AbortController();
        if (delayMs === 0) controller.abort(reason);
        const calls = [
          source.ids(slow, EVERYTHING, 9, controller.signal),
          source.page(slow, EVERYTHING, BOUNDS, controller.signal),
          source.examine(slow, controller.signal),
        ];
        const ended = Promise.allSettled(calls);
        await sleep(delayMs);
        controller.abort(reason);
        for (const end of await ended) assert.deepEqual(end, { status: 'rejected', reason });
      }
      assert.deepEqual(await source.ids(table, EVERYTHING, 9, signal), [1n], 'the source still works');
    },
  },
];
