import { Command } from 'commander';
import { completionCommand } from './completion.ts';
import { cancelCommand, pauseCommand, resumeCommand } from './control.ts';
import { inspectCommand } from './inspect.ts';
import { ledgerCommand } from './ledger.ts';
import { listCommand } from './list.ts';
import { planCommand } from './plan.ts';
import { preflightCommand } from './preflight.ts';
import { runCommand } from './run.ts';
import { searchCommand } from './search.ts';
import { stackCommand } from './stack.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { withVersion } from './version.ts';
import { watchCommand } from './watch.ts';
import { workerCommand } from './worker.ts';

/** `ferry` with all of its commands. Mistakes on the command line are thrown instead of ending the process. */
export function createProgram(): Command {
  const program = new Command('ferry')
    .description('Moves text rows from MySQL or MariaDB into Qdrant: durable, resumable to the last record.')
    .addCommand(preflightCommand())
    .addCommand(planCommand())
    .addCommand(runCommand())
    .addCommand(startCommand())
    .addCommand(watchCommand())
    .addCommand(statusCommand())
    .addCommand(listCommand())
    .addCommand(searchCommand())
    .addCommand(inspectCommand())
    .addCommand(pauseCommand())
    .addCommand(resumeCommand())
    .addCommand(cancelCommand())
    .addCommand(workerCommand())
    .addCommand(ledgerCommand())
    .addCommand(stackCommand())
    .addCommand(completionCommand());
  withVersion(program);
  throwInsteadOfExit(program);
  return program;
}

/** Also below `ferry stack`: every mistake on the command line exits with the same code. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwInsteadOfExit);
}
