import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApplicationFailure } from '@temporalio/common';
import type { LogEntry, LogLevel } from '@temporalio/worker';
import { logLine } from '../../src/telemetry/log-entry.ts';

const entry = (level: LogLevel, message: string, meta: Record<string, unknown> = {}): LogEntry => ({
  level,
  message,
  meta: meta,
  timestampNanos: 1_790_000_000_000_000_000n,
});

const line = (level: LogLevel, message: string, meta?: Record<string, unknown>): unknown => {
  const text = logLine(entry(level, message, meta), 'INFO');
  return text === null ? null : JSON.parse(text);
};

describe('the log', () => {
  it('is one line of JSON an entry, errors by their type', () => {
    const error = ApplicationFailure.nonRetryable('row 7 says: secret', 'target_refused');
    assert.deepEqual(line('WARN', 'Activity failed', { error, taskToken: 'x', workflowId: 'w' }), {
      time: '2026-09-21T14:13:20.000Z',
      severity: 'WARN',
      message: 'Activity failed',
      error: 'target_refused',
      workflowId: 'w',
    });
  });

  it('holds no payloads: the SDK traces whole activations', () => {
    const result = { payloads: [{ data: 'c2VjcmV0' }] };
    const text =
      logLine(entry('TRACE', 'Got workflow activation', { runId: 'r', jobs: [{ result }] }), 'TRACE') ?? '';
    assert.deepEqual(Object.keys(JSON.parse(text) as object), ['time', 'severity', 'message', 'runId']);
  });

  it('does not warn of what is by design', () => {
    assert.equal(line('WARN', 'No workflows registered, not polling for workflow tasks'), null);
    assert.equal(
      line('INFO', 'asset main.js 1.2 MiB [emitted]\n\nwebpack 5.99.1 compiled successfully'),
      null,
    );
    assert.ok(line('ERROR', 'ERROR in x\nwebpack 5.99.1 compiled with 1 error'));
    assert.ok(line('WARN', 'No activities registered, not polling for activity tasks'));
  });

  it('shows a hand-over at DEBUG only', () => {
    const error = ApplicationFailure.retryable('handed over', 'WorkerShutdown');
    assert.equal(line('WARN', 'Activity failed', { error }), null);
    const text = logLine(entry('WARN', 'Activity failed', { error }), 'DEBUG') ?? '';
    assert.equal((JSON.parse(text) as { severity: string }).severity, 'DEBUG');
  });

  it('tells nothing below its level', () => {
    assert.equal(line('DEBUG', 'x'), null);
    assert.ok(line('INFO', 'x'));
  });
});
