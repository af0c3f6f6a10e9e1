import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { cancelCommand, pauseCommand, resumeCommand } from './cli/control.ts';
import { listCommand } from './cli/list.ts';
import { stackCommand } from './cli/stack.ts';
import { startCommand } from './cli/start.ts';
import { statusCommand } from './cli/status.ts';
import { watchCommand } from './cli/watch.ts';
import { workerCommand } from './cli/worker.ts';
import { InputError } from './errors.ts';

const program = new Command('ferry')
  .description('Moves text rows from MySQL or MariaDB into Qdrant: durable, resumable to the last record.')
  .version(packageVersion(), '--version', 'print the version')
  .addCommand(startCommand())
  .addCommand(watchCommand())
  .addCommand(statusCommand())
  .addCommand(listCommand())
  .addCommand(pauseCommand())
  .addCommand(resumeCommand())
  .addCommand(cancelCommand())
  .addCommand(workerCommand())
  .addCommand(stackCommand());

throwInsteadOfExit(program);

try {
  await program.parseAsync();
} catch (error) {
  // Commander has printed its own errors; its help and version exits carry code 0.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof InputError) {
    for (const problem of error.problems) console.error(problem);
    process.exitCode = 2;
  } else {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}

/** Also below `ferry stack`: every mistake on the command line exits with the same code. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwInsteadOfExit);
}

function packageVersion(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
