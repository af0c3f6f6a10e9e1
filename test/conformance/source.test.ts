import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { testStack } from '../support/stack.ts';
import { SourceBench } from './source-bench.ts';
import { PLANTS } from './source-plants.ts';
import { SOURCE_CHECKS } from './source-suite.ts';

const OWN_SERVER = process.env['FERRY_TEST_MYSQL_URL'];

function runSuite(values: () => Readonly<Record<string, string | undefined>>): void {
  let bench: SourceBench;
  before(async () => {
    bench = await SourceBench.open(values());
  });
  after(() => bench.close());
  for (const check of SOURCE_CHECKS) {
    it(check.name, async (context) => {
      const reason = await bench.run(check);
      if (reason !== undefined) context.skip(reason);
    });
  }
}

describe("a source on the stack's MariaDB", () => {
  runSuite(() => ({ ...testStack().environment(), MYSQL_DATABASE: 'ferry_test_conformance' }));
});

describe(
  'a source on a server of your own',
  {
    skip:
      OWN_SERVER === undefined && 'FERRY_TEST_MYSQL_URL is not set: mysql://user:password@host:port/database',
  },
  () => {
    runSuite(() => {
      const { hostname, port, username, password, pathname, searchParams } = new URL(OWN_SERVER ?? '');
      return {
        MYSQL_HOST: decodeURIComponent(hostname),
        MYSQL_PORT: port === '' ? undefined : port,
        MYSQL_USER: decodeURIComponent(username),
        MYSQL_PASSWORD: decodeURIComponent(password),
        MYSQL_DATABASE: decodeURIComponent(pathname.slice(1)),
        MYSQL_TLS: searchParams.get('tls') ?? undefined,
      };
    });
  },
);

describe('a source that is broken on purpose', () => {
  let bench: SourceBench;
  before(async () => {
    bench = await SourceBench.open({
      ...testStack().environment(),
      MYSQL_DATABASE: 'ferry_test_planted',
    });
  });
  after(() => bench.close());

  for (const { fault, plant, noticedBy } of PLANTS) {
    it(`${fault}: is noticed`, async () => {
      const check = SOURCE_CHECKS.find(({ name }) => name.startsWith(noticedBy));
      assert.ok(check, `there is no check "${noticedBy}"`);
      await assert.rejects(bench.run(check, plant), assert.AssertionError);
    });
  }

  it('every check notices at least one', () => {
    const idle = SOURCE_CHECKS.filter(
      ({ name }) => !PLANTS.some(({ noticedBy }) => name.startsWith(noticedBy)),
    );
    assert.deepEqual(
      idle.map(({ name }) => name),
      [],
    );
  });
});
