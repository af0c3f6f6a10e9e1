import { CommanderError } from 'commander';
import { CLOSED_OUTPUT } from './cli/interruption.ts';
import { createProgram } from './cli/program.ts';
import { InquiryError } from './client/inquiry-error.ts';
import { InputError } from './errors.ts';

// Whoever read the output has gone (`ferry list | head -1`): the command ends quietly, as SIGPIPE would end it.
process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  if (code !== 'EPIPE') console.error(`The output cannot be written: ${message}`);
  process.exit(code === 'EPIPE' ? CLOSED_OUTPUT : 1);
});
process.stderr.on('error', () => undefined);

try {
  await createProgram().parseAsync();
} catch (error) {
  // Commander has printed its own errors; its help and version exits carry code 0.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof InputError) {
    console.error(error.report);
    process.exitCode = 2;
  } else if (error instanceof InquiryError) {
    console.error(`${error.code}: ${error.message}`);
    process.exitCode = error.exitCode;
  } else {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
