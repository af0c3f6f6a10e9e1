import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { inquireOnWorker } from '../../src/client/inquire.ts';
import { InquiryError } from '../../src/client/inquiry-error.ts';
import { FAULTS, InputError, type FaultCode } from '../../src/errors.ts';
import type { Inquiries, PlanInput, SearchInput, SearchReport } from '../../src/job/inquiry.ts';
import type { Activities } from '../../src/job/job.ts';
import { fakeSpecification } from '../support/specification.ts';
import { fakeActivities, temporalLab, type TemporalLab } from '../support/temporal.ts';

const specification = fakeSpecification();
const PLAN: PlanInput = { specification, isExact: false, usdPerMillionTokens: null };
const SECRET = 'words of a row';
const SEARCH: SearchInput = {
  specification,
  text: 'anything',
  mode: 'sparse',
  limit: 3,
  tenant: null,
  parents: false,
};
const FOUND: SearchReport = {
  collection: 'memos_v1',
  hits: [
    {
      id: '00000000-0000-0000-0000-000000000000',
      score: 1,
      recordId: '9007199254740993',
      tenant: null,
      parentIndex: 0,
      chunkIndex: 0,
      text: SECRET,
      copied: {},
      children: [],
    },
  ],
};

/** Workflows of a worker that was built before there were inquiries. */
const OLDER = fileURLToPath(new URL('./older-workflows.ts', import.meta.url));

let lab: TemporalLab;
before(async () => {
  lab = await temporalLab();
});
after(() => lab.close());

function withInquiries(changes: Partial<Inquiries>): Activities {
  return { ...fakeActivities(), ...changes };
}

/** The ids of the executions of a type that Temporal still has. */
async function executions(type: string): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of lab.client.workflow.list({ query: `WorkflowType = '${type}'` })) {
    ids.push(workflowId);
  }
  return ids;
}

/** Temporal deletes an execution some seconds after it was asked to; other servers take minutes. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 120_000; !(await condition());) {
    assert.ok(Date.now() < deadline, 'not within 120 s');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function failing(type: string, message: string): Activities {
  return withInquiries({ plan: () => Promise.reject(ApplicationFailure.nonRetryable(message, type)) });
}

async function errorOf(answer: Promise<unknown>): Promise<unknown> {
  return answer.then(
    () => assert.fail('it was answered'),
    (error: unknown) => error,
  );
}

describe('a question on a worker', () => {
  it('is refused at once where no worker polls, and leaves nothing behind', async () => {
    const error = await errorOf(inquireOnWorker(lab.client, 'plan', 'nobody', PLAN));
    assert.ok(error instanceof InputError);
    assert.match(error.message, /^No worker polls vector-ferry .*`ferry worker`.*--local/);
    assert.deepEqual(await executions('plan'), []);
  });

  it('is answered, and an answer without content stays in Temporal', async () => {
    const report = { checks: [], sizes: [], sampled: 7 };
    const answer = await lab.withWorkers(withInquiries({ preflight: async () => report }), () =>
      inquireOnWorker(lab.client, 'preflight', 'memos', { specification }),
    );
    assert.deepEqual(answer, report);
    await until(async () => (await executions('preflight')).length === 1);
    const [id] = await executions('preflight');
    assert.match(id ?? '', /^preflight-memos-[\da-f-]{36}$/);
  });

  it('carries content in no history once it is answered, also if it fails', async () => {
    const ids: string[] = [];
    const search = async ({ mode }: SearchInput): Promise<SearchReport> => {
      ids.push(Context.current().info.workflowExecution?.workflowId ?? '');
      if (mode === 'dense') throw ApplicationFailure.nonRetryable(SECRET, 'InputError');
      return FOUND;
    };
    await lab.withWorkers(withInquiries({ search }), async () => {
      assert.deepEqual(await inquireOnWorker(lab.client, 'search', 'memos', SEARCH), FOUND);
      const failed = inquireOnWorker(lab.client, 'search', 'memos', { ...SEARCH, mode: 'dense' });
      assert.ok((await errorOf(failed)) instanceof InputError);
      assert.equal(ids.length, 2);
      for (const id of ids) {
        await until(() =>
          lab.client.workflow
            .getHandle(id)
            .describe()
            .then(
              () => false,
              () => true,
            ),
        );
      }
    });
  });

  for (const [code, exitCode] of [
    ['source_access_denied', 2],
    ['target_unavailable', 1],
    ['unexpected', 1],
  ] satisfies [FaultCode, number][]) {
    it(`fails under the code of the fault: ${code}`, async () => {
      const error = await lab.withWorkers(failing(code, FAULTS[code].message), () =>
        errorOf(inquireOnWorker(lab.client, 'plan', 'memos', PLAN)),
      );
      assert.ok(error instanceof InquiryError, String(error));
      assert.deepEqual([error.code, error.exitCode], [code, exitCode]);
      assert.ok(error.message.startsWith(FAULTS[code].message));
    });
  }

  it('that is malformed names what is wrong with it', async () => {
    const error = await lab.withWorkers(failing('InputError', 'TEXT: empty.\n--limit: too high.'), () =>
      errorOf(inquireOnWorker(lab.client, 'plan', 'memos', PLAN)),
    );
    assert.ok(error instanceof InputError);
    assert.deepEqual(error.problems, ['TEXT: empty.', '--limit: too high.']);
  });

  it('is withdrawn by a signal: its workflow is cancelled', async () => {
    const withdrawal = new AbortController();
    let id = '';
    const plan = async (): Promise<never> => {
      id = Context.current().info.workflowExecution?.workflowId ?? '';
      const beat = setInterval(() => Context.current().heartbeat({ waiting: null }), 200);
      withdrawal.abort();
      try {
        return await Context.current().cancelled;
      } finally {
        clearInterval(beat);
      }
    };
    await lab.withWorkers(withInquiries({ plan }), async () => {
      const asking = { signal: withdrawal.signal };
      const error = await errorOf(inquireOnWorker(lab.client, 'plan', 'memos', PLAN, asking));
      assert.ok(error instanceof InquiryError);
      assert.deepEqual([error.code, error.exitCode], ['interrupted', 130]);
      const result = errorOf(lab.client.workflow.getHandle(id).result());
      assert.ok(((await result) as Error).cause instanceof CancelledFailure);
    });
  });

  it('says what its answer waits for', async () => {
    const waits: (string | null)[] = [];
    let answer = (): void => undefined;
    const plan = async (): Promise<never> => {
      Context.current().heartbeat({
        waiting: { reason: 'source_unavailable', since: new Date(0).toISOString() },
      });
      await new Promise<void>((resolve) => (answer = resolve));
      throw ApplicationFailure.nonRetryable('done', 'unexpected');
    };
    await lab.withWorkers(withInquiries({ plan }), () =>
      errorOf(
        inquireOnWorker(lab.client, 'plan', 'memos', PLAN, {
          onWait: (reason) => {
            waits.push(reason);
            answer();
          },
        }),
      ),
    );
    assert.deepEqual(waits, ['source_unavailable']);
  });

  it('that the workers are too old for ends with a sentence', async () => {
    const error = await lab.withWorkers(
      fakeActivities(),
      () => errorOf(inquireOnWorker(lab.client, 'plan', 'memos', PLAN)),
      OLDER,
    );
    assert.ok(error instanceof InquiryError, String(error));
    assert.equal(error.code, 'unknown_inquiry');
    assert.match(error.message, /do not know `plan`.*older release.*--local/);
  });

  it('whose workers are gone ends with a sentence', async () => {
    // The server remembers a dead worker for a while: here it forgets at once.
    let asked = 0;
    const describeTaskQueue = async () => ({
      pollers: asked++ === 0 ? [{ identity: 'dead', lastAccessTime: { seconds: Date.now() / 1_000 } }] : [],
    });
    const client = new Proxy(lab.client, {
      get: (target, name) =>
        name === 'workflowService'
          ? new Proxy(target.workflowService, {
              get: (service, method) =>
                method === 'describeTaskQueue'
                  ? describeTaskQueue
                  : (Reflect.get(service, method) as unknown),
            })
          : (Reflect.get(target, name, target) as unknown),
    });
    const error = await errorOf(inquireOnWorker(client, 'plan', 'gone', PLAN));
    assert.ok(error instanceof InquiryError, String(error));
    assert.deepEqual([error.code, error.exitCode], ['no_worker', 1]);
    assert.match(error.message, /^No worker polls/);
  });
});
