import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/activity';
import { connectTemporal } from '../../src/client/connect.ts';
import { inquireOnWorker } from '../../src/client/inquire.ts';
import { InquiryError } from '../../src/client/inquiry-error.ts';
import { fakeSpecification } from '../support/specification.ts';
import { testStack } from '../support/stack.ts';
import { fakeActivities, temporalLab } from '../support/temporal.ts';

/** A way to a server that can be shut; whoever comes then is refused. */
async function openGate(to: string): Promise<{ address: string; shut: () => void }> {
  const [, host = '', port = ''] = /^(.+):(\d+)$/u.exec(to) ?? [];
  const sockets = new Set<Socket>();
  const gate = createServer((here) => {
    const there = connect(Number(port), host);
    for (const [one, other] of [
      [here, there],
      [there, here],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy()).pipe(other);
    }
  });
  await once(gate.listen(0, '127.0.0.1'), 'listening');
  const shut = (): void => {
    gate.close();
    for (const socket of sockets) socket.destroy();
  };
  return { address: `127.0.0.1:${(gate.address() as AddressInfo).port}`, shut };
}

test(
  'a question that is withdrawn while Temporal is out leaves no call behind',
  { timeout: 120_000 },
  async (t) => {
    const lab = await temporalLab();
    const gate = await openGate(testStack().environment().TEMPORAL_ADDRESS ?? '');
    const { client, close } = await connectTemporal({
      connectionOptions: { address: gate.address },
      namespace: lab.client.options.namespace,
    });
    t.after(() => lab.close());
    const uncaught: unknown[] = [];
    const onUncaught = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtException', onUncaught);
    t.after(() => process.removeListener('uncaughtException', onUncaught));
    const withdrawal = new AbortController();
    let finish = (): void => undefined;
    const plan = async (): Promise<never> => {
      gate.shut();
      await new Promise<void>((resolve) => (finish = resolve));
      throw ApplicationFailure.nonRetryable('over', 'unexpected');
    };
    const question = { specification: fakeSpecification(), isExact: false, usdPerMillionTokens: null };
    await lab.withWorkers({ ...fakeActivities(), plan } as ReturnType<typeof fakeActivities>, async () => {
      const asked = inquireOnWorker(client, 'plan', 'memos', question, { signal: withdrawal.signal });
      // By then the SDK waits before it repeats a call, and hears of no cancellation.
      setTimeout(() => withdrawal.abort(), 5_000);
      await assert.rejects(asked, (error) => error instanceof InquiryError && error.code === 'interrupted');
      await close();
      // It repeats after five seconds at the latest; on a closed connection it throws where nobody can catch it.
      await sleep(7_000);
      finish();
    });
    assert.deepEqual(uncaught, []);
  },
);
