import type { LogEntry, LogLevel } from '@temporalio/worker';
import { ATTEMPT_ENDS } from '../errors.ts';

const SEVERITIES: readonly LogLevel[] = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'];

/** One line of JSON without its newline; null for what is not logged at this level. */
export function logLine(entry: LogEntry, level: LogLevel): string | null {
  const severity = severityOf(entry);
  if (severity === null || SEVERITIES.indexOf(severity) < SEVERITIES.indexOf(level)) return null;
  const time = new Date(Number(entry.timestampNanos / 1_000_000n)).toISOString();
  return JSON.stringify({ time, severity, message: entry.message, ...printable(entry.meta) });
}

/** The SDK warns of some things that are as they should be here; null: not worth a line at any level. */
function severityOf({ level, message, meta }: LogEntry): LogLevel | null {
  // The ledger's worker has activities only.
  if (message === 'No workflows registered, not polling for workflow tasks') return null;
  if (message === 'Activity failed' && isHandOver(meta)) return 'DEBUG';
  // The statistics of the bundler, some twenty lines; its errors come at another level.
  if (level === 'INFO' && /\bwebpack \d\S* compiled\b/u.test(message)) return 'DEBUG';
  return level;
}

/** A batch that the worker gives to another one because it shuts down, or that was cancelled. */
function isHandOver(meta: LogEntry['meta']): boolean {
  const error: unknown = meta?.['error'];
  if (!(error instanceof Error)) return false;
  return [ATTEMPT_ENDS.workerShutdown, 'CancelledFailure', 'AbortError'].includes(typeOf(error));
}

/** Of no use to people, or said by the workflow id. */
const OMITTED = new Set(['taskToken', 'isLocal', 'sdkComponent', 'workflowRunId', 'activityId']);

/**
 * Errors become their type: a driver's message may quote a row. Objects are left out: at TRACE the SDK logs whole
 * activations, with the answers of inquiries in base64.
 */
function printable(meta: unknown): Record<string, unknown> {
  if (typeof meta !== 'object' || meta === null) return {};
  return Object.fromEntries(
    Object.entries(meta).flatMap(([key, value]: [string, unknown]) =>
      OMITTED.has(key) || isStructure(value) ? [] : [[key, value instanceof Error ? typeOf(value) : value]],
    ),
  );
}

function isStructure(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !(value instanceof Error);
}

function typeOf(error: Error): string {
  return 'type' in error ? String(error.type) : error.name;
}
