import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker } from '@temporalio/worker';
import { preflightBeforeStart } from '../../src/cli/preflight.ts';
import type { CheckStatus, PreflightReport } from '../../src/job/inquiry.ts';
import { TASK_QUEUE } from '../../src/job/job.ts';
import { fakeSpecification } from '../support/specification.ts';
import { testStack } from '../support/stack.ts';
import { fakeActivities, temporalLab, type TemporalLab } from '../support/temporal.ts';

const WORKFLOWS = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));
const INPUT = { name: 'memos', specification: fakeSpecification() };

let lab: TemporalLab;
before(async () => {
  lab = await temporalLab();
});
after(() => lab.close());

function reporting(status: CheckStatus): ReturnType<typeof fakeActivities> {
  const checks = [{ id: 'source.key', status, message: 'The key is odd.', advice: 'Change it.' }];
  const preflight = async (): Promise<PreflightReport> => ({ checks, sizes: [], sampled: 0 });
  return { ...fakeActivities(), preflight } as ReturnType<typeof fakeActivities>;
}

/** What is said on stderr while `body` runs. */
async function heard(t: TestContext, body: () => Promise<unknown>): Promise<string> {
  const { mock } = t.mock.method(console, 'error', () => undefined);
  await body();
  return mock.calls.map(({ arguments: [line] }) => String(line)).join('\n');
}

for (const [status, mayStart] of [
  ['ok', true],
  ['warning', true],
  ['problem', false],
] as const) {
  test(`a start ${mayStart ? 'goes on after' : 'is stopped by'} what is ${status}, and it is said`, async (t) => {
    const said = await heard(t, async () => {
      const answer = lab.withWorkers(reporting(status), () => preflightBeforeStart(lab.client, INPUT));
      assert.equal(await answer, mayStart);
    });
    assert.equal(/source\.key: The key is odd\. Change it\./u.test(said), status !== 'ok');
    assert.equal(/Nothing was started/u.test(said), !mayStart);
  });
}

test('where no worker has a free slot a start goes on, and says so', async (t) => {
  const connection = await NativeConnection.connect({
    address: testStack().environment().TEMPORAL_ADDRESS ?? '',
  });
  t.after(() => connection.close());
  // It takes workflows and no activities, as one does whose slots are taken.
  const worker = await Worker.create({
    connection,
    namespace: lab.client.options.namespace,
    taskQueue: TASK_QUEUE,
    workflowsPath: WORKFLOWS,
  });
  const said = await heard(t, () =>
    worker.runUntil(async () => assert.equal(await preflightBeforeStart(lab.client, INPUT), true)),
  );
  assert.match(said, /Preflight was skipped: no worker has a free slot/u);
});
