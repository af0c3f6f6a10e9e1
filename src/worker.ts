import { realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { createActivities, createLedgerActivities } from './activities/index.ts';
import { readEnvironment, temporalConfig, workerConfig, type Environment } from './config.ts';
import { InputError } from './errors.ts';
import { LEDGER_TASK_QUEUE, TASK_QUEUE } from './job/job.ts';
import { createServices } from './services.ts';
import { installRuntime } from './telemetry/runtime.ts';

/**
 * Runs a worker process until SIGINT or SIGTERM: batches in hand get WORKER_SHUTDOWN_SECONDS to finish, then they write
 * what they have embedded and hand over.
 *
 * @throws InputError if settings are missing or malformed
 */
export async function runWorker(environment: Environment): Promise<void> {
  const settings = workerConfig(environment);
  const { connectionOptions, namespace } = temporalConfig(environment);
  const identity = `${process.pid}@${hostname()}`;
  const services = createServices(environment, identity);
  installRuntime(settings);
  const connection = await NativeConnection.connect(connectionOptions);
  try {
    const shared = {
      connection,
      namespace,
      identity,
      shutdownGraceTime: `${settings.WORKER_SHUTDOWN_SECONDS}s`,
      // Heartbeats go out as often as the job asks for; the default would send every 0.8 timeouts and leave no room.
      maxHeartbeatThrottleInterval: '500ms',
      // After a kill, workflows that the dead worker had in memory go to another one this soon.
      stickyQueueScheduleToStartTimeout: '2s',
    } as const;
    const workers = [
      await Worker.create({
        ...shared,
        ...workflowCode(),
        taskQueue: TASK_QUEUE,
        activities: createActivities(services, identity),
        maxConcurrentActivityTaskExecutions: settings.WORKER_SLOTS,
        maxCachedWorkflows: settings.WORKER_CACHED_WORKFLOWS,
      }),
    ];
    if (services.ledger !== null) {
      workers.push(
        await Worker.create({
          ...shared,
          taskQueue: LEDGER_TASK_QUEUE,
          activities: createLedgerActivities(services),
          maxConcurrentActivityTaskExecutions: 20,
        }),
      );
    }
    await runTogether(workers);
  } finally {
    await connection.close();
    await services.close();
  }
}

/** Runs the workers until a signal; if one fails, the others shut down too, so that no half of a worker lives on. */
async function runTogether(workers: readonly Worker[]): Promise<void> {
  const runs = workers.map(async (worker) => {
    try {
      await worker.run();
    } finally {
      for (const other of workers) if (other.getState() === 'RUNNING') other.shutdown();
    }
  });
  const failed = (await Promise.allSettled(runs)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

/** The bundle that the build made, or the sources in development. */
function workflowCode(): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const isBuilt = import.meta.url.endsWith('.js');
  return isBuilt
    ? { workflowBundle: { codePath: fileURLToPath(new URL('./workflow-bundle.js', import.meta.url)) } }
    : { workflowsPath: fileURLToPath(new URL('./workflows/index.ts', import.meta.url)) };
}

// Also when started through a symbolic link; `ferry worker` imports this file instead.
if (realpathSync(process.argv[1] ?? '') === fileURLToPath(import.meta.url)) {
  try {
    await runWorker(readEnvironment());
  } catch (error) {
    if (error instanceof InputError) for (const problem of error.problems) console.error(problem);
    else console.error(error);
    process.exitCode = error instanceof InputError ? 2 : 1;
  }
}
