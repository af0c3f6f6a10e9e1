import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Fault, type FaultCode } from '../../src/errors.ts';
import { preflight } from '../../src/inquiry/preflight.ts';
import { findingLines } from '../../src/cli/preflight-render.ts';
import type { CheckStatus } from '../../src/job/inquiry.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { World } from '../support/preflight-world.ts';
import { quietAttempt } from '../support/attempt.ts';
import { fakeSpecification } from '../support/specification.ts';

const fails = (code: FaultCode, detail?: string) => (): Promise<never> =>
  Promise.reject(new Fault(code, detail));

interface Case {
  readonly id: string;
  readonly status: CheckStatus;
  readonly says: RegExp;
  readonly when: (world: World) => void | Promise<void>;
}

const CASES: readonly Case[] = [
  { id: 'source.server', status: 'ok', says: /MariaDB 10\.11\.6 answers/, when: () => undefined },
  {
    id: 'source.server',
    status: 'problem',
    says: /MySQL 5\.7\.44 is not supported.*MySQL 8\.0/,
    when: ({ source }) => void (source.examined = { server: 'MySQL 5.7.44', isSupported: false }),
  },
  {
    id: 'source.server',
    status: 'problem',
    says: /does not answer.*\(ECONNREFUSED\) Check MYSQL_HOST/,
    when: ({ source }) => void (source.examine = fails('source_unavailable', 'ECONNREFUSED')),
  },
  {
    id: 'source.server',
    status: 'problem',
    says: /^An unexpected RangeError came up\. /,
    when: ({ source }) => void (source.examine = () => Promise.reject(new RangeError('row content'))),
  },
  { id: 'source.tls', status: 'ok', says: /is encrypted/, when: () => undefined },
  {
    id: 'source.tls',
    status: 'ok',
    says: /not encrypted, and does not leave the machine/,
    when: ({ source }) => void (source.examined = { isEncrypted: false, isLocal: true }),
  },
  {
    id: 'source.tls',
    status: 'warning',
    says: /not encrypted: others.*MYSQL_TLS=verify/,
    when: ({ source }) => void (source.examined = { isEncrypted: false }),
  },
  { id: 'source.permissions', status: 'ok', says: /may read and not write/, when: () => undefined },
  {
    id: 'source.permissions',
    status: 'ok',
    says: /may read\./,
    when: ({ source }) => void (source.examined = { canWrite: null }),
  },
  {
    id: 'source.permissions',
    status: 'warning',
    says: /may write.*MYSQL_USER/,
    when: ({ source }) => void (source.examined = { canWrite: true }),
  },
  {
    id: 'source.permissions',
    status: 'ok',
    says: /may write too, which is fine on this machine/,
    when: ({ source }) => void (source.examined = { canWrite: true, isLocal: true }),
  },
  {
    id: 'source.permissions',
    status: 'problem',
    says: /Correct MYSQL_USER and MYSQL_PASSWORD/,
    when: ({ source }) => void (source.examine = fails('source_access_denied')),
  },
  { id: 'source.table', status: 'ok', says: /Table db\.t can be read/, when: () => undefined },
  {
    id: 'source.table',
    status: 'ok',
    says: /View db\.t can be read/,
    when: ({ source }) => void (source.examined = { relation: 'view' }),
  },
  {
    id: 'source.table',
    status: 'problem',
    says: /\(db\.t\) Correct MYSQL_DATABASE/,
    when: ({ source }) => void (source.examine = fails('source_table_missing', 'db.t')),
  },
  {
    id: 'source.filter',
    status: 'ok',
    says: /MYSQL_FILTER/,
    when: (world) => world.table({ filter: 'a = 1' }),
  },
  {
    id: 'source.filter',
    status: 'problem',
    says: /syntax\) Correct MYSQL_FILTER/,
    when: ({ source }) => void (source.examine = fails('source_misconfigured', 'MYSQL_FILTER: syntax')),
  },
  {
    id: 'source.server',
    status: 'problem',
    says: /MYSQL_TLS, and that the worker/,
    when: ({ source }) => void (source.examine = fails('source_misconfigured', 'MYSQL_TLS: no TLS')),
  },
  { id: 'source.columns', status: 'ok', says: /All 2 columns exist/, when: () => undefined },
  {
    id: 'source.columns',
    status: 'problem',
    says: /no column `tenant`, `content`, `more`.*MYSQL_TENANT_COLUMN.*MYSQL_CONTENT_COLUMN, MYSQL_PAYLOAD_COLUMNS/,
    when: (world) => {
      world.table({ tenantColumn: 'tenant', payloadColumns: ['more'] });
      world.source.examined = { missingColumns: ['tenant', 'content', 'more'] };
    },
  },
  { id: 'source.id', status: 'ok', says: /`id` is an integer column/, when: () => undefined },
  {
    id: 'source.id',
    status: 'ok',
    says: /bigint\(20\) unsigned/,
    when: (world) => world.columns({ id: { type: 'bigint(20) unsigned' } }),
  },
  {
    id: 'source.id',
    status: 'problem',
    says: /no integer column \(char\(36\)\).*MYSQL_ID_COLUMN/,
    when: (world) => world.columns({ id: { type: 'char(36)' } }),
  },
  { id: 'source.id_index', status: 'ok', says: /unique index orders `id`/, when: () => undefined },
  {
    id: 'source.id_index',
    status: 'ok',
    says: /A view has no indexes/,
    when: ({ source }) => void (source.examined = { relation: 'view', idIndex: 'none' }),
  },
  {
    id: 'source.id_index',
    status: 'warning',
    says: /does not keep its values apart.*UNIQUE INDEX/,
    when: ({ source }) => void (source.examined = { idIndex: 'ordinary' }),
  },
  {
    id: 'source.id_index',
    status: 'warning',
    says: /sorts the whole table/,
    when: ({ source }) => void (source.examined = { idIndex: 'none' }),
  },
  {
    id: 'source.id_index',
    status: 'problem',
    says: /sorts the whole table/,
    when: ({ source }) => void (source.examined = { idIndex: 'none', rows: 1_000_000 }),
  },
  { id: 'source.id_nulls', status: 'ok', says: /Every row has an id/, when: () => undefined },
  {
    id: 'source.id_nulls',
    status: 'warning',
    says: /not found out in time/,
    when: ({ source }) => void (source.examined = { hasNullIds: null }),
  },
  {
    id: 'source.id_nulls',
    status: 'problem',
    says: /NULL.*MYSQL_FILTER="id IS NOT NULL"/,
    when: ({ source }) => void (source.examined = { hasNullIds: true }),
  },
  { id: 'source.id_duplicates', status: 'ok', says: /No id occurs twice/, when: () => undefined },
  {
    id: 'source.id_duplicates',
    status: 'warning',
    says: /not found out in time/,
    when: ({ source }) => void (source.examined = { hasDuplicateIds: null }),
  },
  {
    id: 'source.id_duplicates',
    status: 'problem',
    says: /more than once.*MYSQL_ID_COLUMN/,
    when: ({ source }) => void (source.examined = { hasDuplicateIds: true }),
  },
  { id: 'source.id_range', status: 'ok', says: /from 1 to 20/, when: () => undefined },
  {
    id: 'source.id_range',
    status: 'problem',
    says: /9223372036854775808, beyond.*MYSQL_ID_COLUMN/,
    when: ({ source }) => void (source.examined = { largestId: 2n ** 63n }),
  },
  { id: 'source.rows', status: 'ok', says: /20 rows/, when: () => undefined },
  {
    id: 'source.rows',
    status: 'ok',
    says: /could not be counted/,
    when: ({ source }) => void (source.examined = { rows: null }),
  },
  {
    id: 'source.rows',
    status: 'warning',
    says: /no rows.*MYSQL_TABLE/,
    when: ({ source }) => source.rows.clear(),
  },
  { id: 'source.content', status: 'ok', says: /`content` \(varchar\(255\)\)/, when: () => undefined },
  {
    id: 'source.content',
    status: 'problem',
    says: /`content` \(geometry\).*MYSQL_CONTENT_COLUMN/,
    when: (world) => world.columns({ content: { type: 'geometry', collation: null } }),
  },
  { id: 'source.encoding', status: 'ok', says: /any character/, when: () => undefined },
  {
    id: 'source.encoding',
    status: 'warning',
    says: /utf8mb3, which holds no emoji.*utf8mb4/,
    when: (world) => world.columns({ content: { collation: 'utf8mb3_general_ci' } }),
  },
  {
    id: 'source.encoding',
    status: 'warning',
    says: /utf8mb3/,
    when: (world) => world.columns({ content: { collation: 'utf8_general_ci' } }),
  },
  {
    id: 'source.encoding',
    status: 'warning',
    says: /bytes without an encoding.*content_invalid/,
    when: (world) => world.columns({ content: { type: 'longblob', collation: null } }),
  },
  { id: 'source.tenant', status: 'ok', says: /no tenants/, when: () => undefined },
  {
    id: 'source.tenant',
    status: 'ok',
    says: /`org` \(varchar/,
    when: (world) => world.table({ tenantColumn: 'org' }),
  },
  {
    id: 'source.tenant',
    status: 'warning',
    says: /long text.*MYSQL_TENANT_COLUMN/,
    when: (world) => {
      world.table({ tenantColumn: 'org' });
      return world.columns({ org: { type: 'longtext' } });
    },
  },
  {
    id: 'source.tenant',
    status: 'problem',
    says: /binary data.*MYSQL_TENANT_COLUMN/,
    when: (world) => {
      world.table({ tenantColumn: 'org' });
      return world.columns({ org: { type: 'varbinary(16)' } });
    },
  },
  {
    id: 'source.copied',
    status: 'ok',
    says: /`kind`/,
    when: (world) => world.table({ payloadColumns: ['kind'] }),
  },
  {
    id: 'source.copied',
    status: 'warning',
    says: /every point.*MYSQL_PAYLOAD_COLUMNS/,
    when: (world) => {
      world.table({ payloadColumns: ['kind'] });
      return world.columns({ kind: { type: 'mediumtext' } });
    },
  },
  {
    id: 'source.copied',
    status: 'problem',
    says: /binary data.*MYSQL_PAYLOAD_COLUMNS/,
    when: (world) => {
      world.table({ payloadColumns: ['kind'] });
      return world.columns({ kind: { type: 'blob' } });
    },
  },
  { id: 'source.oversize', status: 'ok', says: /None of 20 records is larger/, when: () => undefined },
  {
    id: 'source.oversize',
    status: 'warning',
    says: /1 of 20 records are larger than 16 MiB.*content_too_large/,
    when: ({ source }) => {
      const sizes = source.sizes.bind(source);
      source.sizes = async (...args) =>
        (await sizes(...args)).map(({ id, bytes }) => ({ id, bytes: id === 3n ? 16 * 2 ** 20 + 1 : bytes }));
    },
  },
  {
    id: 'source.oversize',
    status: 'warning',
    says: /could not be looked at: The source/,
    when: ({ source }) => void (source.sizes = fails('source_unavailable')),
  },
  {
    id: 'source.empty',
    status: 'ok',
    says: /2 of 20 records/,
    when: ({ source }) => {
      source.set(1n, null);
      source.set(2n, '');
    },
  },
  { id: 'target.server', status: 'ok', says: /Qdrant 1\.16\.2 answers/, when: () => undefined },
  {
    id: 'target.server',
    status: 'problem',
    says: /1\.9\.0 is too old.*1\.16/,
    when: ({ target }) => void (target.examined = { version: '1.9.0', isSupported: false }),
  },
  {
    id: 'target.server',
    status: 'problem',
    says: /does not answer.*Check QDRANT_URL/,
    when: ({ target }) => void (target.examine = fails('target_unavailable')),
  },
  { id: 'target.permissions', status: 'ok', says: /may write/, when: () => undefined },
  {
    id: 'target.permissions',
    status: 'ok',
    says: /does not say/,
    when: ({ target }) => void (target.examined = { canWrite: null }),
  },
  {
    id: 'target.permissions',
    status: 'problem',
    says: /may not write to memory.*QDRANT_API_KEY/,
    when: ({ target }) => void (target.examined = { canWrite: false }),
  },
  {
    id: 'target.permissions',
    status: 'problem',
    says: /may not create.*QDRANT_API_KEY/,
    when: ({ target }) => void (target.examined = { canWrite: false, collection: null }),
  },
  {
    id: 'target.permissions',
    status: 'problem',
    says: /Set QDRANT_API_KEY/,
    when: ({ target }) => void (target.examine = fails('target_access_denied')),
  },
  { id: 'target.collection', status: 'ok', says: /memos is an alias of memory/, when: () => undefined },
  {
    id: 'target.collection',
    status: 'ok',
    says: /memos is a collection/,
    when: ({ target }) => void (target.examined = { isAlias: false }),
  },
  {
    id: 'target.collection',
    status: 'ok',
    says: /memos_v1 will be created/,
    when: ({ target }) => void (target.examined = { collection: null }),
  },
  { id: 'target.schema', status: 'ok', says: /fits the job/, when: () => undefined },
  {
    id: 'target.schema',
    status: 'problem',
    says: /size of vector child is 4, expected 3.*QDRANT_COLLECTION_NAME/,
    when: ({ target }) => void (target.examined = { differences: ['size of vector child is 4, expected 3'] }),
  },
  { id: 'target.indexes', status: 'ok', says: /All payload indexes exist/, when: () => undefined },
  {
    id: 'target.indexes',
    status: 'ok',
    says: /will be added on type, job_id/,
    when: ({ target }) => void (target.examined = { missingIndexes: ['type', 'job_id'] }),
  },
  { id: 'target.origin', status: 'ok', says: /records model/, when: () => undefined },
  {
    id: 'target.origin',
    status: 'ok',
    says: /will be recorded/,
    when: ({ target }) => void (target.examined = { hasOrigin: false }),
  },
  {
    id: 'target.origin',
    status: 'warning',
    says: /holds 12 points and does not say.*OPENAI_EMBEDDING_MODEL/,
    when: ({ target }) =>
      void (target.examined = { hasOrigin: false, points: { own: 0, others: 2, foreign: 10 } }),
  },
  {
    id: 'target.points',
    status: 'ok',
    says: /3 points of this source, 2 of other sources and 1 foreign/,
    when: ({ target }) => void (target.examined = { points: { own: 3, others: 2, foreign: 1 } }),
  },
  {
    id: 'target.points',
    status: 'ok',
    says: /about 81,000,000 points; whose they are could not be counted in time/,
    when: ({ target }) => void (target.examined = { size: 81_000_000, points: null }),
  },
  {
    id: 'target.origin',
    status: 'warning',
    says: /holds 81,000,000 points and does not say/,
    when: ({ target }) => void (target.examined = { hasOrigin: false, size: 81_000_000, points: null }),
  },
  { id: 'target.limits', status: 'ok', says: /no limits/, when: () => undefined },
  {
    id: 'target.limits',
    status: 'ok',
    says: /read_rate_limit 600/,
    when: ({ target }) =>
      void (target.examined = {
        limits: [{ name: 'read_rate_limit', value: 600, needed: 0, isTooLow: false }],
      }),
  },
  {
    id: 'target.limits',
    status: 'problem',
    says: /max_query_limit to 10; the job needs 1000/,
    when: ({ target }) =>
      void (target.examined = {
        limits: [{ name: 'max_query_limit', value: 10, needed: 1_000, isTooLow: true }],
      }),
  },
  {
    id: 'target.limits',
    status: 'problem',
    says: /search_allow_exact to false/,
    when: ({ target }) =>
      void (target.examined = {
        limits: [{ name: 'search_allow_exact', value: false, needed: true, isTooLow: true }],
      }),
  },
  { id: 'target.capacity', status: 'ok', says: /Room enough/, when: () => undefined },
  {
    id: 'target.capacity',
    status: 'warning',
    says: /does not say how large.*GB.*QDRANT_BINARY_QUANTIZATION/,
    when: ({ target }) => void (target.examined = { capacity: null }),
  },
  {
    id: 'target.capacity',
    status: 'warning',
    says: /read from disk.*memory/,
    when: ({ target }) => void (target.examined = { capacity: { memoryBytes: 1, diskBytes: 1e12 } }),
  },
  {
    id: 'target.capacity',
    status: 'problem',
    says: /Too little disk/,
    when: ({ target }) => void (target.examined = { capacity: { memoryBytes: 1e12, diskBytes: 1 } }),
  },
  { id: 'embedding.model', status: 'ok', says: /m answers with 3 dimensions/, when: () => undefined },
  ...(
    [
      ['embedding_access_denied', /OPENAI_API_KEY/],
      ['embedding_model_missing', /OPENAI_EMBEDDING_MODEL/],
      ['embedding_quota_exhausted', /credit/],
      ['embedding_wrong_dimensions', /OPENAI_EMBEDDING_DIMENSIONS/],
      ['embedding_refused', /even a single word/],
      ['embedding_unavailable', /does not answer.*Check OPENAI_BASE_URL/],
    ] as const
  ).map(([code, says]): Case => ({
    id: 'embedding.model',
    status: 'problem',
    says,
    when: ({ embedder }) => void (embedder.embed = fails(code)),
  })),
  { id: 'embedding.pace', status: 'ok', says: /limit the pace/, when: () => undefined },
  {
    id: 'embedding.pace',
    status: 'ok',
    says: /500 requests and 1,000,000 tokens a minute/,
    when: ({ embedder }) => void (embedder.limits = { requestsPerMinute: 500, tokensPerMinute: 1e6 }),
  },
  {
    id: 'embedding.pace',
    status: 'warning',
    says: /A job waits for its turn/,
    when: ({ embedder }) => void (embedder.embed = fails('embedding_rate_limited')),
  },
  { id: 'ledger.configured', status: 'ok', says: /No ledger/, when: (world) => void (world.ledger = null) },
  { id: 'ledger.server', status: 'ok', says: /tables are current/, when: () => undefined },
  {
    id: 'ledger.server',
    status: 'warning',
    says: /older version; the cost of a job is not written\. Apply 2_cost\.sql of supabase\/migrations/,
    when: (world) =>
      void (world.ledger = {
        examine: async () => ({ missingMigrations: ['2_cost.sql'] }),
      } as unknown as Ledger),
  },
  ...(
    [
      ['ledger_unavailable', 'warning', /does not answer.*writes the ledger when it is back/],
      ['ledger_access_denied', 'problem', /SUPABASE_KEY/],
      ['ledger_schema_missing', 'problem', /supabase\/migrations/],
    ] as const
  ).map(([code, status, says]): Case => ({
    id: 'ledger.server',
    status,
    says,
    when: (world) => void (world.ledger = { examine: fails(code) } as unknown as Ledger),
  })),
];

describe('preflight', () => {
  for (const { id, status, says, when } of CASES) {
    it(`${id}: ${status}, ${says.source}`, async () => {
      const world = new World();
      await when(world);
      const { checks } = await world.report();
      const own = checks.filter((check) => check.id === id);
      assert.equal(own.length, 1, `checks: ${checks.map((check) => check.id).join(', ')}`);
      assert.equal(own[0]?.status, status);
      assert.match(`${own[0]?.message} ${own[0]?.advice ?? ''}`, says);
      assert.doesNotMatch(own[0]?.message ?? '', /tried again|If that lasts|row content/u);
    });
  }

  it('gives advice wherever something is not fine, and nowhere else', async () => {
    for (const { when } of CASES) {
      const world = new World();
      await when(world);
      for (const { id, status, advice } of (await world.report()).checks) {
        assert.equal(advice !== null, status !== 'ok', id);
      }
    }
  });

  it('finds nothing but what is fine where all is', async () => {
    const { checks, sizes, sampled } = await new World().report();
    assert.deepEqual(findingLines(checks), []);
    assert.equal(sampled, 20);
    assert.deepEqual(
      sizes.map(({ fromBytes, records }) => [fromBytes, records]),
      [[16, 20]],
    );
  });

  it('lets no service hide another: all four out, four problems', async () => {
    const world = new World();
    world.source.examine = fails('source_unavailable');
    world.target.examine = fails('target_unavailable');
    world.embedder.embed = fails('embedding_unavailable');
    world.ledger = { examine: fails('ledger_schema_missing') } as unknown as Ledger;
    const { checks } = await world.report();
    assert.deepEqual(
      checks.map(({ id, status }) => [id, status]),
      [
        ['source.server', 'problem'],
        ['target.server', 'problem'],
        ['embedding.model', 'problem'],
        ['ledger.server', 'problem'],
      ],
    );
  });

  it('names every difference of the collection and every limit', async () => {
    const world = new World();
    world.target.examined = {
      differences: ['size is 4, expected 3', 'distance is Dot, expected Cosine'],
      limits: [
        { name: 'max_query_limit', value: 1, needed: 9, isTooLow: true },
        { name: 'upsert_max_batchsize', value: 1, needed: 9, isTooLow: true },
      ],
    };
    const problems = (await world.report()).checks.filter(({ status }) => status === 'problem');
    assert.deepEqual(
      problems.map(({ id }) => id),
      ['target.schema', 'target.schema', 'target.limits', 'target.limits'],
    );
  });

  it('samples a large table over all of its ids', async () => {
    const world = new World();
    world.source.rows.clear();
    for (let at = 0; at < 30_000; at++) world.source.set(BigInt(at) * 1_000_003n, 'x'.repeat(40 + (at % 50)));
    const within: string[] = [];
    world.source.sizes = async (_table, range, limit) => {
      within.push(`${range.after}-${range.upTo}`);
      const first = range.after < 0n ? 0n : range.after / 1_000_003n + 1n;
      return Array.from({ length: Math.min(limit, 10) }, (_, k) => ({
        id: (first + BigInt(k)) * 1_000_003n,
        bytes: 50,
      }));
    };
    const { sampled } = await world.report();
    assert.deepEqual([within.length, sampled], [200, 2_000]);
  });

  it('reads fewer contents where MYSQL_ROWS_PER_SECOND is low', async () => {
    for (const rowsPerSecond of [1, 10, 1_000]) {
      const world = new World();
      for (let id = 1n; id <= 2_000n; id++) world.source.set(id, 'x'.repeat(2 ** Number(id % 14n)));
      world.source.examined = { rowsPerSecond };
      const page = world.source.page.bind(world.source);
      let read = 0;
      world.source.page = async (...args) => {
        const found = await page(...args);
        read += found.rows.length;
        return found;
      };
      const { checks } = await world.report();
      assert.ok(read / rowsPerSecond < 15, `${read} rows at ${rowsPerSecond} a second`);
      assert.ok(checks.some(({ id }) => id === 'target.capacity'));
    }
  });

  it('ends at once when it is no longer wanted', async () => {
    const world = new World();
    const stop = new AbortController();
    world.target.examine = () => new Promise(() => undefined);
    const asked = preflight(
      world,
      { specification: fakeSpecification() },
      quietAttempt({ stop: stop.signal }),
    );
    stop.abort(new Error('withdrawn'));
    await assert.rejects(asked, /withdrawn/u);
  });
});
