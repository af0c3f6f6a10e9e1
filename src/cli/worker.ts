import { Command } from 'commander';
import { connectTemporal } from '../client/connect.ts';
import { checkWorker, temporalConfig } from '../config.ts';
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
      await runWorker(environment);
    });
}
