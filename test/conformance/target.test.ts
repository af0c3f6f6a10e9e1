import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Fault } from '../../src/errors.ts';
import { targetSettings, type TargetSettings } from '../../src/target/settings.ts';
import { testStack } from '../support/stack.ts';
import { openBench, type TargetBench } from './target-bench.ts';
import { FAULTY_SERVERS } from './target-faulty-servers.ts';
import { startProxy } from './target-proxy.ts';
import { TARGET_SUITE } from './target-suite.ts';

function suite(name: string, settings: () => TargetSettings, skip: string | false = false): void {
  describe(name, { skip }, () => {
    let bench: TargetBench;
    before(() => {
      bench = openBench(settings());
    });
    after(() => bench.close());
    for (const [check, run] of Object.entries(TARGET_SUITE)) it(check, () => run(bench));
  });
}

const ofStack = () => targetSettings.parse(testStack().environment());

suite("target, on the stack's Qdrant", ofStack);

const url = process.env['FERRY_TEST_QDRANT_URL'];
const key = process.env['FERRY_TEST_QDRANT_API_KEY'];
suite(
  'target, on the Qdrant of FERRY_TEST_QDRANT_URL',
  () => targetSettings.parse({ QDRANT_URL: url, ...(key === undefined ? {} : { QDRANT_API_KEY: key }) }),
  url === undefined ? 'set FERRY_TEST_QDRANT_URL (and FERRY_TEST_QDRANT_API_KEY) to run it' : false,
);

/** A suite that passes whatever the server does would prove nothing. */
describe('target, on a server that does something wrong', () => {
  for (const [fault, { tampering, caughtBy }] of Object.entries(FAULTY_SERVERS)) {
    it(`${fault}: fails "${caughtBy}"`, async () => {
      const check = TARGET_SUITE[caughtBy];
      assert.ok(check, `no check is called "${caughtBy}"`);
      const settings = ofStack();
      // Through the proxy alone it passes, so it is the fault that makes it fail.
      for (const planted of [{}, tampering()]) {
        const proxy = await startProxy(settings, planted);
        const bench = openBench(settings, proxy.url);
        try {
          const run = check(bench);
          await (planted.request || planted.answer
            ? assert.rejects(run, (error) => error instanceof assert.AssertionError || error instanceof Fault)
            : run);
        } finally {
          await bench.close();
          await proxy.close();
        }
      }
    });
  }
});
