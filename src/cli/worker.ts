import { Command } from 'commander';
import { connectTemporal } from '../client/connect.ts';
import { checkWorker, temporalConfig } from '../config.ts';
import { InputError } from '../errors.ts';
import { announcedEnvironment } from './session.ts';

/** `ferry worker` */
export function workerCommand(): Command {
  return new Command('worker')
    .description('run a worker process until Ctrl-C; batches in hand finish or hand over')
    .option('--stack', 'use the local stack whatever the environment says')
    .addHelpText(
      'after',
      `
The first Ctrl-C or SIGTERM gives batches in hand WORKER_SHUTDOWN_SECONDS to finish, then they write what they have
embedded and hand over; the second ends the process at once, and another worker goes on with what was in hand.

Examples:
  $ ferry worker
  $ WORKER_SLOTS=4 ferry worker`,
    )
    .action(async (options: { stack?: boolean }) => {
      const environment = announcedEnvironment(options, checkWorker);
      // The SDK's native library explains less, and waits for a namespace that is not there.
      const { close } = await connectTemporal(temporalConfig(environment));
      await close();
      // eslint-disable-next-line no-restricted-syntax -- no other command should load the SDK's native library
      const { runWorker } = await import('../worker.ts');
      try {
        await runWorker(environment);
      } catch (error) {
        throw metricsProblem(error) ?? error;
      }
    });
}

/** The SDK says what is wrong with the address, but not which setting it is. */
function metricsProblem(error: unknown): InputError | null {
  const message = error instanceof Error ? error.message : '';
  if (!/metrics ?exporter|prometheus/iu.test(message)) return null;
  return new InputError([
    `WORKER_METRICS_ADDRESS: expected an IP address and a free port such as 127.0.0.1:9464; the metrics cannot be served there (${message}).`,
  ]);
}
