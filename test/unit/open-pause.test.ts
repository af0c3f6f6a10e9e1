import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultPayloadConverter } from '@temporalio/common';
import { PauseSignals } from '../../src/client/open-pause.ts';
import type { HistoryEvent } from '../../src/client/history.ts';

type Signal = readonly [name: 'pause' | 'resume' | 'halted' | 'drained', argument?: unknown];

/** What the signals come to, one sent each minute. */
function pauseAfter(...signals: Signal[]): PauseSignals['current'] {
  const pauses = new PauseSignals();
  for (const [minute, [signalName, argument]] of signals.entries()) {
    const payloads = argument === undefined ? [] : [defaultPayloadConverter.toPayload(argument)];
    pauses.read({
      eventTime: { seconds: minute * 60 },
      workflowExecutionSignaledEventAttributes: { signalName, identity: '17@desk', input: { payloads } },
    } as unknown as HistoryEvent);
  }
  return pauses.current;
}

const halt = (epoch: number): Signal => [
  'halted',
  { code: 'embedding_quota_exhausted', message: 'No credit is left.', epoch },
];

test('a pause names who asked for it, and since when', () => {
  assert.deepEqual(pauseAfter(['drained', { partition: 1 }], ['pause']), {
    since: '1970-01-01T00:01:00.000Z',
    reason: 'on request of 17@desk',
  });
  assert.equal(pauseAfter(['pause'], ['resume']), null);
  assert.equal(pauseAfter(), null);
});

test('what paused it first counts, until it is resumed', () => {
  assert.equal(pauseAfter(halt(0), ['pause'])?.reason, 'embedding_quota_exhausted: No credit is left.');
  assert.match(pauseAfter(['pause'], halt(0))?.reason ?? '', /^on request/u);
  assert.equal(pauseAfter(['pause'], ['resume'], ['pause'])?.since, '1970-01-01T00:02:00.000Z');
});

test('a halt from before the last resume is answered by it', () => {
  assert.equal(pauseAfter(halt(0), ['resume'], halt(0)), null);
  assert.notEqual(pauseAfter(halt(0), ['resume'], halt(1)), null);
  // A resume of what no signal had paused counts in the workflow, and not here.
  assert.notEqual(pauseAfter(['resume'], halt(1)), null);
});
