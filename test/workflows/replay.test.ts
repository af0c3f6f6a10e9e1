import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { WorkflowBundleWithSourceMap } from '@temporalio/worker';

// What a replay has to say is in its error.
Runtime.install({
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: { logging: { forward: {}, filter: 'OFF' } },
});

const HISTORIES = fileURLToPath(new URL('../histories', import.meta.url));
const WORKFLOWS = fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url));

interface History {
  readonly events: readonly {
    readonly workflowExecutionStartedEventAttributes?: { readonly workflowId: string };
    readonly activityTaskScheduledEventAttributes?: { readonly activityType: { name: string } };
  }[];
}

let workflowBundle: WorkflowBundleWithSourceMap;
before(async () => {
  workflowBundle = await bundleWorkflowCode({ workflowsPath: WORKFLOWS, logger: new DefaultLogger('ERROR') });
});

function read(file: string): History {
  return JSON.parse(readFileSync(join(HISTORIES, file), 'utf8')) as History;
}

/** @throws DeterminismViolationError when the workflows would have done something else */
async function replay(history: History): Promise<void> {
  const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId;
  await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
}

const files = globSync('**/*.json', { cwd: HISTORIES }).sort();

test('there are histories of each kind of workflow', () => {
  for (const type of ['migration', 'partition', 'batch']) {
    assert.ok(
      files.some((file) => file.includes(`/${type}-`)),
      type,
    );
  }
});

for (const file of files) {
  test(`test/histories/${file} replays`, async () => {
    await replay(read(file)).catch((cause: unknown) => {
      throw new Error(
        `test/histories/${file} does not replay: this change would break open jobs. Keep the old path for them with ` +
          'patched(), or, if the histories are of a release that is not out yet, record them again; see "Histories" in ' +
          'CONTRIBUTING.md.',
        { cause },
      );
    });
  });
}

test('a history that the workflows would not have written does not replay', async () => {
  const file = files.find((name) => name.endsWith('/batch-completed.json'));
  const history = read(file as string);
  const scheduled = history.events.find((event) => event.activityTaskScheduledEventAttributes);
  const { activityType } = scheduled?.activityTaskScheduledEventAttributes ?? {};
  assert.equal(activityType?.name, 'reconcileBatch');
  activityType.name = 'reconcileSomethingElse';
  await assert.rejects(replay(history), DeterminismViolationError);
});
