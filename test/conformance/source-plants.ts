import { Fault } from '../../src/errors.ts';
import type { Source, SourceExamination, SourceRow, TableSpec } from '../../src/source/source.ts';
import { signal } from './source-bench.ts';
import type { Plant } from './source-bench.ts';

/** A fault that is planted into a good source, and the check (its first words) that has to notice it. */
export interface PlantedFault {
  readonly fault: string;
  readonly plant: Plant;
  readonly noticedBy: string;
}

/** Changes what every page holds. */
const rows =
  (change: (rows: readonly SourceRow[]) => readonly SourceRow[]): Plant =>
  (source) => ({
    ...source,
    page: async (...args) => {
      const page = await source.page(...args);
      return { ...page, rows: change(page.rows) };
    },
  });

/** Changes every row. */
const row = (change: (row: SourceRow) => Partial<SourceRow>): Plant =>
  rows((all) => all.map((one) => ({ ...one, ...change(one) })));

/** Changes every content that is not NULL. */
const text = (change: (content: string) => string): Plant =>
  row(({ content }) => ({ content: content === null ? null : change(content) }));

/** Changes the table that is asked for, in every call. */
const table =
  (change: (table: TableSpec) => Partial<TableSpec>): Plant =>
  (source) => {
    const changed = (asked: TableSpec): TableSpec => ({ ...asked, ...change(asked) });
    return {
      ids: (asked, ...rest) => source.ids(changed(asked), ...rest),
      count: (asked, ...rest) => source.count(changed(asked), ...rest),
      page: (asked, ...rest) => source.page(changed(asked), ...rest),
      existing: (asked, ...rest) => source.existing(changed(asked), ...rest),
      sizes: (asked, ...rest) => source.sizes(changed(asked), ...rest),
      examine: (asked, ...rest) => source.examine(changed(asked), ...rest),
      close: () => source.close(),
    };
  };

/** Changes what examine says. */
const examined =
  (change: (found: SourceExamination) => Partial<SourceExamination>): Plant =>
  (source) => ({
    ...source,
    examine: async (...args) => {
      const found = await source.examine(...args);
      return { ...found, ...change(found) };
    },
  });

const rounded = (id: bigint): bigint => BigInt(Number(id));
const and = (filter: string | null, condition: string): string =>
  filter === null ? condition : `(${filter}) AND ${condition}`;

/** Answers with nothing instead of the fault. */
const silent =
  <K extends 'ids' | 'page'>(call: K, nothing: Awaited<ReturnType<Source[K]>>): Plant =>
  (source) => ({
    ...source,
    [call]: (...args: never[]) =>
      (source[call] as (...all: never[]) => Promise<unknown>)(...args).catch(() => nothing),
  });

export const PLANTS: readonly PlantedFault[] = [
  {
    fault: 'ids rounded to doubles',
    plant: row(({ id }) => ({ id: rounded(id) })),
    noticedBy: 'ids are exact',
  },
  {
    fault: 'looked-up ids rounded to doubles',
    plant: (source) => ({
      ...source,
      existing: async (of, ids, until) => source.existing(of, ids.map(rounded), until),
    }),
    noticedBy: 'ids are exact',
  },
  {
    fault: '`after` ignored',
    plant: (source) => ({
      ...source,
      ids: (of, range, ...rest) => source.ids(of, { ...range, after: -(2n ** 63n) }, ...rest),
    }),
    noticedBy: 'ids lie in',
  },
  {
    fault: '`after` ignored by pages',
    plant: (source) => ({
      ...source,
      page: (of, range, ...rest) => source.page(of, { ...range, after: -(2n ** 63n) }, ...rest),
    }),
    noticedBy: 'pages hold every row',
  },
  {
    fault: '`upTo` ignored',
    plant: (source) => ({
      ...source,
      ids: (of, range, ...rest) => source.ids(of, { ...range, upTo: 2n ** 63n - 1n }, ...rest),
    }),
    noticedBy: 'ids lie in',
  },
  {
    fault: 'unsigned ids beyond a range left out',
    plant: table(({ filter }) => ({ filter: and(filter, 'id <= 9223372036854775807') })),
    noticedBy: 'an unsigned id above',
  },
  {
    fault: 'repeated ids merged',
    plant: (source) => ({
      ...source,
      ids: (...args) => source.ids(...args).catch(() => [1n, 2n, 3n]),
    }),
    noticedBy: 'a repeated id is refused',
  },
  {
    fault: 'repeated ids looked for within a page only',
    plant: (source) => ({
      ...source,
      ids: async (of, range, limit, until) => {
        const ids = [];
        for (let at = range.after; ids.length < limit;) {
          // One by one, each from behind the last: what a page's end between two equal ids does.
          const [id] = await source.ids(of, { ...range, after: at }, 1, until).catch(() => [2n]);
          if (id === undefined || id === at) break;
          ids.push((at = id));
        }
        return ids;
      },
    }),
    noticedBy: 'a repeated id is refused',
  },
  {
    fault: 'NULL ids skipped',
    plant: table(({ filter, idColumn }) => ({ filter: and(filter, `${idColumn} IS NOT NULL`) })),
    noticedBy: 'a NULL id is refused',
  },
  {
    fault: 'a table without integers taken for an empty one',
    plant: silent('ids', []),
    noticedBy: 'an id column of text',
  },
  {
    fault: 'every id said to exist',
    plant: (source) => ({ ...source, existing: async (_of, ids) => new Set(ids) }),
    noticedBy: 'existing() looks up',
  },
  {
    fault: 'only the first thousand ids looked up',
    plant: (source) => ({
      ...source,
      existing: (of, ids, until) => source.existing(of, ids.slice(0, 1_000), until),
    }),
    noticedBy: 'existing() looks up',
  },
  {
    fault: 'the bound of bytes ignored',
    plant: (source) => ({
      ...source,
      page: (of, range, bounds, until) => source.page(of, range, { ...bounds, maxBytes: 1e9 }, until),
    }),
    noticedBy: 'a page ends at the bound',
  },
  {
    fault: 'the bound of rows ignored',
    plant: (source) => ({
      ...source,
      page: (of, range, bounds, until) => source.page(of, range, { ...bounds, maxRows: 1e6 }, until),
    }),
    noticedBy: 'a page ends at the bound',
  },
  {
    fault: 'large rows read without asking',
    plant: (source) => ({
      ...source,
      page: (of, range, { maxRows, maxBytes }, until) => source.page(of, range, { maxRows, maxBytes }, until),
    }),
    noticedBy: 'a large row is only told of',
  },
  {
    fault: 'a large row skipped',
    plant: (source) => ({
      ...source,
      page: async (of, range, ...rest) => {
        const page = await source.page(of, range, ...rest);
        return page.deferredBytes === undefined ? page : { ...page, upTo: range.after + 1n };
      },
    }),
    noticedBy: 'a large row is only told of',
  },
  {
    fault: 'the last row of a page dropped',
    plant: rows((all) => all.slice(0, -1)),
    noticedBy: 'pages hold every row',
  },
  {
    fault: 'every page said to be the last',
    plant: (source) => ({
      ...source,
      page: async (of, range, ...rest) => ({
        ...(await source.page(of, range, ...rest)),
        upTo: range.upTo,
      }),
    }),
    noticedBy: 'pages hold every row',
  },
  {
    fault: 'sizes counted in characters',
    plant: (source) => ({
      ...source,
      sizes: async (of, range, limit, until) => {
        const page = await source.page(of, range, { maxRows: limit, maxBytes: 1e9 }, until);
        return page.rows.map(({ id, content }) => ({ id, bytes: content?.length ?? null }));
      },
    }),
    noticedBy: 'sizes are bytes',
  },
  {
    fault: 'the filter ignored',
    plant: table(() => ({ filter: null })),
    noticedBy: 'the filter holds',
  },
  {
    fault: 'the filter applied to look-ups',
    plant: (source) => ({
      ...source,
      existing: async (of, ids, until) => {
        const passing = new Set(
          await source.ids(of, { after: -(2n ** 63n), upTo: 2n ** 63n - 1n }, 9_999, until),
        );
        return new Set(ids.filter((id) => passing.has(id)));
      },
    }),
    noticedBy: 'the filter holds',
  },
  {
    fault: 'a refused write taken for an empty table',
    plant: silent('page', { rows: [], upTo: 0n }),
    noticedBy: 'nothing can be written',
  },
  {
    fault: 'the signal ignored',
    plant: (source) => ({
      ...source,
      ids: (of, range, limit) => source.ids(of, range, limit, signal),
    }),
    noticedBy: 'an abort ends a call',
  },
  {
    fault: 'the reason of an abort replaced',
    plant: (source) => ({
      ...source,
      page: (...args) =>
        source.page(...args).catch(() => {
          throw new Fault('source_unavailable');
        }),
    }),
    noticedBy: 'an abort ends a call',
  },
  {
    fault: 'empty text for NULL',
    plant: row(({ content }) => ({ content: content ?? '' })),
    noticedBy: 'NULL, empty and blank',
  },
  {
    fault: 'content trimmed',
    plant: text((content) => content.trim()),
    noticedBy: 'NULL, empty and blank',
  },
  {
    fault: 'characters of four bytes lost',
    plant: text((content) => content.replace(/[\u{10000}-\u{10ffff}]/gu, '?')),
    noticedBy: 'text of every script',
  },
  {
    fault: 'text normalized',
    plant: text((content) => content.normalize('NFC')),
    noticedBy: 'text of every script',
  },
  {
    fault: 'a byte order mark dropped',
    plant: text((content) => content.replace(/^\ufeff/u, '')),
    noticedBy: 'text of every script',
  },
  {
    fault: 'UTF-8 taken for latin1',
    plant: text((content) => Buffer.from(content).toString('latin1')),
    noticedBy: 'columns of other character sets',
  },
  {
    fault: 'invalid bytes replaced',
    plant: row(({ content, refused }) =>
      refused === 'content_invalid' ? { content: '\ufffd(', refused: null } : { content },
    ),
    noticedBy: 'bytes are read as UTF-8',
  },
  {
    fault: 'oversized content taken for none',
    plant: row(() => ({ refused: null })),
    noticedBy: 'content above 16 MiB',
  },
  {
    fault: 'only the first content column read',
    plant: table(({ contentColumns }) => ({ contentColumns: contentColumns.slice(0, 1) })),
    noticedBy: 'several content columns',
  },
  {
    fault: 'the template ignored',
    plant: table(() => ({ contentTemplate: null })),
    noticedBy: 'a template shapes',
  },
  {
    fault: 'the words of a template taken for content',
    plant: row(({ content, refused }) => ({ content: content ?? (refused === null ? '{}\n# ' : null) })),
    noticedBy: 'a template shapes',
  },
  {
    fault: 'the size of one column taken for that of all',
    plant: row(() => ({ refused: null, content: 'b'.repeat(16 * 1024 * 1024 + 2) })),
    noticedBy: 'the bound of 16 MiB',
  },
  {
    fault: 'an empty tenant for none',
    plant: row(({ tenant }) => ({ tenant: tenant ?? '' })),
    noticedBy: 'the tenant is text',
  },
  {
    fault: 'copied integers rounded',
    plant: row(({ copied }) => ({
      copied: Object.fromEntries(
        Object.entries(copied).map(([name, value]) => [
          name,
          typeof value === 'bigint' ? Number(value) : value,
        ]),
      ),
    })),
    noticedBy: 'copied columns',
  },
  {
    fault: 'a refusal of the table named nothing',
    plant: (source) => ({
      ...source,
      examine: (...args) =>
        source.examine(...args).catch(() => {
          throw new Fault('source_table_missing');
        }),
    }),
    noticedBy: 'a wrong password',
  },
  {
    fault: 'missing columns not named',
    plant: examined(() => ({ missingColumns: [] })),
    noticedBy: 'examine describes',
  },
  {
    fault: 'an account called read-only',
    plant: examined(() => ({ canWrite: false })),
    noticedBy: 'examine describes',
  },
  {
    fault: 'repeated ids not found',
    plant: examined(() => ({ hasDuplicateIds: false })),
    noticedBy: 'examine finds what is wrong',
  },
  {
    fault: 'every index taken for a unique one',
    plant: examined(({ idIndex }) => ({ idIndex: idIndex === 'none' ? 'none' : 'unique' })),
    noticedBy: 'examine finds what is wrong',
  },
  {
    fault: 'the largest id rounded',
    plant: examined(({ largestId }) => ({ largestId: largestId === null ? null : rounded(largestId) })),
    noticedBy: 'examine sees unsigned',
  },
  {
    fault: 'a view called a table',
    plant: examined(() => ({ relation: 'table' })),
    noticedBy: 'a view is read',
  },
  {
    fault: 'a rejected filter passed over',
    plant: (source) => ({
      ...source,
      examine: async (of, until) => source.examine({ ...of, filter: null }, until),
    }),
    noticedBy: 'examine blames the filter',
  },
  {
    fault: 'nothing known of what the account may do',
    plant: examined(() => ({ canWrite: null })),
    noticedBy: 'an account that may only SELECT',
  },
];
