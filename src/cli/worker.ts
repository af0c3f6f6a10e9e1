import { Command } from 'commander';
import { announcedEnvironment } from './session.ts';

/** `ferry worker` */
export function workerCommand(): Command {
  return new Command('worker')
    .description('run a worker process until Ctrl-C; batches in hand finish or hand over')
    .option('--stack', 'use the local stack whatever the environment says')
    .addHelpText('after', '\nExamples:\n  $ ferry worker\n  $ WORKER_SLOTS=4 ferry worker')
    .action(async (options: { stack?: boolean }) => {
      const environment = announcedEnvironment(options);
      // eslint-disable-next-line no-restricted-syntax -- no other command should load the SDK's native library
      const { runWorker } = await import('../worker.ts');
      await runWorker(environment);
    });
}
