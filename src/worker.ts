import { realpathSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { createActivities, createLedgerActivities } from './activities/index.ts';
import { readEnvironment, temporalConfig, workerConfig, type Environment } from './config.ts';
import { createDataConverter, FAILURE_CONVERTER_PATH } from './encryption/data-converter.ts';
import { InputError } from './errors.ts';
import { LEDGER_TASK_QUEUE, TASK_QUEUE } from './job/job.ts';
import { createServices, type Services } from './services.ts';
import { installRuntime } from './telemetry/runtime.ts';
import { sourceBundle, workflowCacheFolder } from './workflow-cache.ts';

/** A worker of this process. It polls once `run` is called. */
export interface OpenWorker {
  /**
   * Works until `shutdown`, SIGINT or SIGTERM (the SDK listens to them): batches in hand get WORKER_SHUTDOWN_SECONDS to
   * finish, then they write what they have embedded and hand over. Closes its connections in the end; call it once.
   *
   * @throws what made one of its parts fail; the others have shut down too then
   */
  run(): Promise<void>;
  /** Asks it to end as a signal would; does nothing when it is ending already. */
  shutdown(): void;
}

/**
 * Makes a worker: its connection and adapters, and the process's logger and metrics, so once a process.
 *
 * @throws InputError if settings are missing or malformed, or the metrics cannot be served
 */
export async function openWorker(environment: Environment): Promise<OpenWorker> {
  const settings = workerConfig(environment);
  const { connectionOptions, namespace, payloadKeys = [] } = temporalConfig(environment);
  const identity = `${process.pid}@${hostname()}`;
  const services = createServices(environment, identity);
  try {
    installRuntime(settings);
  } catch (error) {
    throw metricsProblem(error) ?? error;
  }
  const connection = await NativeConnection.connect(connectionOptions);
  const close = async (): Promise<void> => {
    await connection.close();
    await services.close();
  };
  const shared = {
    connection,
    namespace,
    identity,
    dataConverter: createDataConverter(payloadKeys, (message) => {
      Runtime.instance().logger.error(message);
    }),
    shutdownGraceTime: `${settings.WORKER_SHUTDOWN_SECONDS}s`,
    // Heartbeats go out as often as the job asks for; the default would send every 0.8 timeouts and leave no room.
    maxHeartbeatThrottleInterval: '500ms',
    // After a kill, workflows that the dead worker had in memory go to another one this soon.
    stickyQueueScheduleToStartTimeout: '2s',
  } as const;
  const { logger } = Runtime.instance();
  const slots = settings.WORKER_SLOTS === 1 ? '1 slot' : `${settings.WORKER_SLOTS} slots`;
  try {
    const workers = [
      await Worker.create({
        ...shared,
        workflowBundle: await workflowBundle(environment, payloadKeys.length > 0),
        taskQueue: TASK_QUEUE,
        activities: createActivities(services, identity),
        maxConcurrentActivityTaskExecutions: settings.WORKER_SLOTS,
        maxCachedWorkflows: settings.WORKER_CACHED_WORKFLOWS,
      }),
      ...(await ledgerWorker(shared, services)),
    ];
    return {
      run: () => {
        const ended = runTogether(workers);
        logger.info(`Worker ready: polls ${TASK_QUEUE} in namespace ${namespace}, ${slots}`);
        return ended.finally(close);
      },
      shutdown: () => shutDown(workers),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The SDK says what is wrong with the address, but not which setting it is. */
function metricsProblem(error: unknown): InputError | null {
  const message = error instanceof Error ? error.message : '';
  if (!/metrics ?exporter|prometheus/iu.test(message)) return null;
  return new InputError([
    `WORKER_METRICS_ADDRESS: expected an IP address and a free port such as 127.0.0.1:9464; the metrics cannot be served there (${message}).`,
  ]);
}

/** Runs a worker process until SIGINT or SIGTERM. @throws InputError as {@link openWorker} */
export async function runWorker(environment: Environment): Promise<void> {
  const worker = await openWorker(environment);
  await worker.run();
}

/** One that writes the ledger, where there is one. */
async function ledgerWorker(
  shared: Omit<WorkerOptions, 'taskQueue'>,
  services: Services,
): Promise<readonly Worker[]> {
  if (services.ledger === null) return [];
  const worker = await Worker.create({
    ...shared,
    taskQueue: LEDGER_TASK_QUEUE,
    activities: createLedgerActivities(services),
    maxConcurrentActivityTaskExecutions: 20,
  });
  return [worker];
}

/** Runs the workers to their end; if one fails, the others shut down too, so that no half of a worker lives on. */
async function runTogether(workers: readonly Worker[]): Promise<void> {
  const runs = workers.map((worker) => worker.run().finally(() => shutDown(workers)));
  const failed = (await Promise.allSettled(runs)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

function shutDown(workers: readonly Worker[]): void {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
}

/**
 * The bundle that the build made; in a clone one of the sources.
 *
 * @param isEncrypted whether failures that leave a workflow are to hide their messages; the bundle decides that
 */
async function workflowBundle({ values }: Environment, isEncrypted: boolean): Promise<WorkflowBundleOption> {
  const isBuilt = import.meta.url.endsWith('.js');
  const built = isEncrypted ? './workflow-bundle-encrypted.js' : './workflow-bundle.js';
  if (isBuilt) return { codePath: fileURLToPath(new URL(built, import.meta.url)) };
  const { logger } = Runtime.instance();
  const workflowsPath = fileURLToPath(new URL('./workflows/index.ts', import.meta.url));
  return sourceBundle(workflowsPath, {
    folder: workflowCacheFolder(values),
    ...(isEncrypted && { failureConverterPath: FAILURE_CONVERTER_PATH }),
    logger,
  });
}

// Also when started through a symbolic link; `ferry worker` and `ferry run` import this file instead.
const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) {
  try {
    await runWorker(readEnvironment());
  } catch (error) {
    if (error instanceof InputError) console.error(error.report);
    else console.error(error);
    process.exitCode = error instanceof InputError ? 2 : 1;
  }
}
