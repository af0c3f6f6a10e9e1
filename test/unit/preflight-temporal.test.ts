import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Client } from '@temporalio/client';
import { ledgerQueueChecks, lookAtTemporal, temporalOut } from '../../src/client/temporal-checks.ts';
import { InputError } from '../../src/errors.ts';
import { TASK_QUEUE } from '../../src/job/job.ts';

const NOW_SECONDS = Math.floor(Date.now() / 1_000);

interface Server {
  readonly version?: string;
  /** Undefined: the key may not describe the namespace. */
  readonly retentionSeconds?: number;
  readonly workers?: readonly string[];
  readonly ledgerWorkers?: readonly string[];
  readonly isSilent?: boolean;
}

/** A Temporal that answers what preflight asks. */
function fakeClient({
  version,
  retentionSeconds,
  workers = [],
  ledgerWorkers = [],
  isSilent,
}: Server): Client {
  const refuse = (): Promise<never> => Promise.reject(new Error('PERMISSION_DENIED'));
  const answer = <T>(value: T): Promise<T> => (isSilent === true ? refuse() : Promise.resolve(value));
  return {
    options: { namespace: 'ours' },
    withDeadline: <T>(_deadline: number, call: () => Promise<T>) => call(),
    workflowService: {
      getSystemInfo: () => answer({ serverVersion: version }),
      describeNamespace: () =>
        retentionSeconds === undefined
          ? refuse()
          : answer({ config: { workflowExecutionRetentionTtl: { seconds: retentionSeconds } } }),
      describeTaskQueue: ({ taskQueue }: { taskQueue: { name: string } }) =>
        answer({
          pollers: (taskQueue.name === TASK_QUEUE ? workers : ledgerWorkers).map((identity) => ({
            identity,
            lastAccessTime: { seconds: NOW_SECONDS },
          })),
        }),
    },
  } as unknown as Client;
}

const seen = async (server: Server) =>
  (await lookAtTemporal(fakeClient(server))).checks.map(({ id, status }) => [id, status]);

describe('what preflight says of Temporal', () => {
  it('is fine with a worker and a month of retention', async () => {
    const server = { version: '1.29.1', retentionSeconds: 30 * 86_400, workers: ['1@host'] };
    assert.deepEqual(await seen(server), [
      ['temporal.server', 'ok'],
      ['temporal.namespace', 'ok'],
      ['temporal.retention', 'ok'],
      ['workers.work', 'ok'],
    ]);
    const { checks, isPolled } = await lookAtTemporal(fakeClient(server));
    assert.match(checks[0]?.message ?? '', /1\.29\.1/u);
    assert.equal(isPolled, true);
  });

  it('warns below three days of retention, naming the namespace', async () => {
    const { checks } = await lookAtTemporal(fakeClient({ retentionSeconds: 86_400, workers: ['1@host'] }));
    const retention = checks.find(({ id }) => id === 'temporal.retention');
    assert.equal(retention?.status, 'warning');
    assert.match(
      `${retention?.message} ${retention?.advice}`,
      /for 1 day:.*--namespace ours.*TEMPORAL_NAMESPACE/u,
    );
    assert.deepEqual((await seen({ retentionSeconds: 3 * 86_400 }))[2], ['temporal.retention', 'ok']);
  });

  it('leaves retention out where the key may not ask', async () => {
    assert.deepEqual(
      (await seen({ workers: ['1@host'] })).map(([id]) => id),
      ['temporal.server', 'temporal.namespace', 'workers.work'],
    );
  });

  it('finds a problem where nobody polls, and none where the server does not say', async () => {
    const { checks, isPolled } = await lookAtTemporal(fakeClient({ retentionSeconds: 9e6 }));
    const work = checks.find(({ id }) => id === 'workers.work');
    assert.deepEqual([work?.status, isPolled], ['problem', false]);
    assert.match(work?.advice ?? '', /ferry worker.*--local/u);
    const silent = await lookAtTemporal(fakeClient({ isSilent: true }));
    assert.equal(silent.isPolled, true);
    assert.ok(silent.checks.every(({ status }) => status === 'ok'));
  });

  it('asks for a worker of the ledger only where there is a ledger', async () => {
    const without = await lookAtTemporal(fakeClient({ workers: ['1@host'] }));
    assert.deepEqual(ledgerQueueChecks(without, false), []);
    assert.equal(ledgerQueueChecks(without, true)[0]?.status, 'problem');
    const polled = await lookAtTemporal(fakeClient({ workers: ['1@host'], ledgerWorkers: ['1@host'] }));
    assert.equal(ledgerQueueChecks(polled, true)[0]?.status, 'ok');
    const silent = await lookAtTemporal(fakeClient({ isSilent: true }));
    assert.deepEqual(ledgerQueueChecks(silent, true), []);
  });

  it('tells a server that is out from a namespace that is missing', () => {
    const out = temporalOut(
      new InputError(['TEMPORAL_ADDRESS: does not answer', 'TEMPORAL_NAMESPACE: missing']),
    );
    assert.deepEqual(
      out.map(({ id, status }) => [id, status]),
      [
        ['temporal.server', 'problem'],
        ['temporal.namespace', 'problem'],
      ],
    );
    assert.match(out[0]?.advice ?? '', /--local/u);
  });
});
