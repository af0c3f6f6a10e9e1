import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
import type { WorkerSettings } from '../settings.ts';
import { logLine } from './log-entry.ts';

/**
 * Installs the process's logger (one line of JSON an entry, to stderr) and, if asked for, the Prometheus endpoint with
 * the SDK's metrics. Once a process, before anything connects.
 */
export function installRuntime(settings: WorkerSettings): void {
  const { WORKER_LOG_LEVEL: level, WORKER_METRICS_ADDRESS: bindAddress } = settings;
  const logger = new DefaultLogger(level, (entry) => {
    const line = logLine(entry, level);
    if (line !== null) process.stderr.write(`${line}\n`);
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
