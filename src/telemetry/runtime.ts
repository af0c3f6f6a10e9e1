import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { WorkerSettings } from '../settings.ts';

/**
 * Installs the process's logger (one line of JSON an entry, to stderr) and, if asked for, the Prometheus endpoint with
 * the SDK's metrics. Once a process, before anything connects.
 */
export function installRuntime(settings: WorkerSettings): void {
  const { WORKER_LOG_LEVEL: level, WORKER_METRICS_ADDRESS: bindAddress } = settings;
  const logger = new DefaultLogger(level, ({ level: severity, message, meta, timestampNanos }) => {
    const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
    process.stderr.write(`${JSON.stringify({ time, severity, message, ...printable(meta) })}\n`);
  });
  Runtime.install({
    logger,
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      ...(bindAddress === undefined
        ? {}
        : {
            metrics: {
              prometheus: {
                bindAddress,
                countersTotalSuffix: true,
                unitSuffix: true,
                useSecondsForDurations: true,
              },
            },
          }),
    },
  });
}

/** Of no use to people, or said by the workflow id. */
const OMITTED = new Set(['taskToken', 'isLocal', 'sdkComponent', 'workflowRunId', 'activityId']);

/** Errors become their type: a driver's message may quote a row. */
function printable(meta: unknown): Record<string, unknown> {
  if (typeof meta !== 'object' || meta === null) return {};
  return Object.fromEntries(
    Object.entries(meta).flatMap(([key, value]: [string, unknown]) =>
      OMITTED.has(key) ? [] : [[key, value instanceof Error ? typeOf(value) : value]],
    ),
  );
}

function typeOf(error: Error): string {
  return 'type' in error ? String(error.type) : error.name;
}
