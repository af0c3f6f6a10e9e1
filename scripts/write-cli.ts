/** `npm run docs`: writes docs/cli.md from the commands' own help, so that the page cannot differ from it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Command } from 'commander';
import { createProgram } from '../src/cli/program.ts';

const INTRODUCTION = `# Commands

<!-- Written by \`npm run docs\` from the commands in src/cli/; change those. -->

What \`--help\` prints, of every command. Data goes to standard output; progress, questions and problems go to standard
error. \`--json\` prints data that programs can read; texts are for people and may change.

| exit code | meaning |
|---|---|
| 0 | done: of a job that was followed, completed without failed records, or you detached |
| 1 | failed records or batches, a job that a fault has paused, or a service that does not answer |
| 2 | bad input or settings, problems that preflight found, or a job of that name is open already |
| 3 | cancelled, terminated in Temporal, or not confirmed |
| 130, 143 | ended by Ctrl-C or SIGTERM before it was done |
`;

/** @returns the whole page */
export function cliPage(): string {
  const program = createProgram();
  return [INTRODUCTION, ...sections(program, program.name())].join('\n');
}

function sections(command: Command, path: string): string[] {
  const own = path.includes(' ') ? [section(command, path)] : [];
  const below = command.commands.filter((child) => child.name() !== 'help');
  return [...own, ...below.flatMap((child) => sections(child, `${path} ${child.name()}`))];
}

/** Help as it is printed, with the examples, 100 columns wide whatever the terminal. */
function section(command: Command, path: string): string {
  let text = '';
  command.configureOutput({
    writeOut: (part) => (text += part),
    getOutHelpWidth: () => 100,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return `## ${path}\n\n\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(join(import.meta.dirname, '../docs/cli.md'), cliPage());
  console.log('docs/cli.md is written.');
}
