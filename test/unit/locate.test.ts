import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { ActivityResult, type HistoryEvent } from '../../src/client/history.ts';
import { temporalLink } from '../../src/client/temporal-link.ts';
import { InputError } from '../../src/errors.ts';
import type { Environment } from '../../src/config.ts';

function environment(values: Record<string, string>): Environment {
  // Without a file that the machine may have.
  return { values: { TEMPORAL_NAMESPACE: 'ferries', ...values }, warnings: [], isStack: true };
}

const link = (values: Record<string, string>, runId?: string) =>
  temporalLink(environment(values))('migration-a/p0/b1', runId);
const PATH = '/namespaces/ferries/workflows/migration-a%2Fp0%2Fb1';

describe('temporalLink', () => {
  it('is where TEMPORAL_UI_URL says, whatever the address', () => {
    const ui = 'https://temporal.example/ui/';
    const values = { TEMPORAL_UI_URL: ui, TEMPORAL_ADDRESS: 'ns.acct.tmprl.cloud:7233' };
    assert.equal(link(values), `https://temporal.example/ui${PATH}`);
    assert.equal(link(values, 'run'), `https://temporal.example/ui${PATH}/run/history`);
  });

  it('is beside a dev server on its default port, and nowhere beside one on another', () => {
    assert.equal(link({}), `http://localhost:8233${PATH}`);
    assert.equal(link({ TEMPORAL_ADDRESS: '127.0.0.1:7233' }), `http://127.0.0.1:8233${PATH}`);
    assert.equal(link({ TEMPORAL_ADDRESS: '127.0.0.1:17233' }), null);
  });

  it('is Temporal Cloud for its addresses, and for nobody else', () => {
    for (const address of ['ns.acct.tmprl.cloud:7233', 'us-east-1.aws.api.temporal.io:7233']) {
      assert.equal(link({ TEMPORAL_ADDRESS: address }), `https://cloud.temporal.io${PATH}`);
    }
    for (const address of ['temporal.example:7233', 'tmprl.cloud.example:7233', 'nottmprl.cloud:7233']) {
      assert.equal(link({ TEMPORAL_ADDRESS: address }), null, address);
    }
  });

  it('refuses what is no URL by a sentence', () => {
    for (const url of ['temporal.example', 'ftp://temporal.example', 'javascript:alert(1)']) {
      assert.throws(
        () => link({ TEMPORAL_UI_URL: url }),
        (error) => error instanceof InputError && error.message.startsWith('TEMPORAL_UI_URL: expected a URL'),
        url,
      );
    }
  });
});

describe('ActivityResult', () => {
  const scheduled = (id: number, name: string): HistoryEvent =>
    ({
      eventId: id,
      activityTaskScheduledEventAttributes: { activityType: { name } },
    }) as unknown as HistoryEvent;
  const completed = (of: number, result: unknown): HistoryEvent =>
    ({
      eventId: 99,
      activityTaskCompletedEventAttributes: {
        scheduledEventId: of,
        result: { payloads: [defaultPayloadConverter.toPayload(result)] },
      },
    }) as unknown as HistoryEvent;

  it('is that of the activity of its type, also at a second try', () => {
    const result = new ActivityResult<string>('planBatches');
    assert.equal(result.read(scheduled(5, 'mirrorLedger')), null);
    assert.equal(result.read(scheduled(6, 'planBatches')), null);
    assert.equal(result.read(completed(5, 'mirrored')), null);
    assert.equal(result.read(scheduled(9, 'planBatches')), null);
    assert.equal(result.read(completed(9, 'plan')), 'plan');
  });
});
