import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { bringUp, givenAddress, startService } from './bring-up.ts';
import { dockerAnswers, dockerResolution, removeData } from './docker.ts';
import { killRemains, stopService } from './ending.ts';
import { entryOf, instanceOf } from './instance.ts';
import { interruptible } from './interruption.ts';
import { withLock } from './lock.ts';
import { StackProblem } from './problem.ts';
import { lacking } from './resolve.ts';
import { serviceNames, type ServiceName } from './service.ts';
import { defaultServices, services } from './services.ts';
import { environment, type StackEnvironment } from './stack-environment.ts';
import { createState, readState, stackDir, writeState, type StackState } from './state.ts';
import { storageProblem } from './storage-problem.ts';
import { checkWantedPorts, type WantedPorts } from './wanted-ports.ts';

export { StackProblem } from './problem.ts';
export { status, type ServiceStatus, type StackStatus } from './status.ts';

/** One line of progress; `service` is missing where it concerns the whole stack. */
export interface Progress {
  service?: ServiceName;
  message: string;
}

export interface UpOptions {
  /** The stack's folder. @default FERRY_STACK_DIR, else the user's XDG state folder */
  dir?: string;
  /** What to bring up, with what it needs. @default everything */
  services?: readonly ServiceName[];
  /** Ports by service (`mariadb`) or by service and port (`temporal.ui`). @default free ones, kept for the next time */
  ports?: WantedPorts;
  /**
   * Whether a service that has no program on PATH may run in Docker, where a daemon answers. Not without being asked for:
   * an image is another server than the one that tests and demo expect. @default false
   */
  docker?: boolean;
  /** Ends `up` early: what is being started is killed, what has been started stays. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
}

export interface DownOptions {
  dir?: string;
  /** Also removes the data, the log files and the folder. @default false */
  purge?: boolean;
  onProgress?: (progress: Progress) => void;
}

/** A stack that was brought up once, running or not. */
export interface Stack {
  readonly dir: string;
  /** What stack.json says now. */
  state(): StackState;
  environment(): StackEnvironment;
  /** Starts a service again at its ports and on its data. @throws Error ending with the last lines of its log */
  start(name: ServiceName): Promise<void>;
  /** Ends a service in its orderly way. */
  stop(name: ServiceName): Promise<void>;
  /** SIGKILL to all processes of a service at once, as a crash would do; returns when they are gone. */
  kill(name: ServiceName): Promise<void>;
}

/**
 * The stack in a folder.
 *
 * @throws StackProblem when there is none
 */
export function openStack(dir?: string): Stack {
  const folder = stackDir(dir);
  const state = () => {
    const found = readState(folder);
    if (found === undefined) {
      throw new StackProblem([`there is no stack in ${folder}; \`ferry stack up\` makes one`]);
    }
    return found;
  };
  const change = (name: ServiceName, work: (current: StackState) => Promise<void>) =>
    exclusively(folder, undefined, async () => {
      const current = state();
      entryOf(current, name);
      await work(current);
    });
  state();
  return {
    dir: folder,
    state,
    environment: () => environment(state()),
    start: (name) => change(name, (current) => startService(current, name, () => undefined)),
    stop: (name) => change(name, (current) => stopService(current, name)),
    kill: (name) => change(name, (current) => killRemains(entryOf(current, name))),
  };
}

/**
 * Makes a stack, starts one whose processes have ended again with its data, or attaches to one that runs; starts only
 * what is not healthy. What has been started stays when another service fails.
 *
 * @throws StackProblem when something has to be mended first; nothing was started then. AggregateError with one Error for
 *   each service that failed. The signal's reason
 */
export async function up(options: UpOptions = {}): Promise<Stack> {
  const dir = stackDir(options.dir);
  const work = () => exclusively(dir, options.onProgress, () => bringUpAll(dir, options));
  await interruptible(options.signal, work);
  return openStack(dir);
}

async function bringUpAll(dir: string, options: UpOptions): Promise<void> {
  const { onProgress, ports = {}, docker = false } = options;
  const wanted = withNeeds(options.services ?? defaultServices);
  const ours = wanted.filter((name) => givenAddress(name) === undefined);
  checkAddresses(wanted);
  await checkWantedPorts(readState(dir), ours, ports);
  const state = readState(dir) ?? createState(dir);
  const problems = await lacking(state, ours, docker);
  if (problems.length > 0) {
    removeEmpty(dir);
    throw new StackProblem(problems);
  }
  noteState(state);
  const started = new Map<ServiceName, Promise<void>>();
  // Needs come before those who need them.
  for (const name of wanted) {
    const report = (message: string) => onProgress?.({ service: name, message });
    const needs = Promise.all(services[name].needs.map((need) => started.get(need) ?? Promise.resolve()));
    started.set(
      name,
      needs.then(
        () => bringUp(state, name, { ports, docker }, report),
        () => undefined,
      ),
    );
  }
  const results = await Promise.allSettled(started.values());
  options.signal?.throwIfAborted();
  const failures = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as Error] : [],
  );
  if (failures.length > 0) {
    throw new AggregateError(failures, failures.map((failure) => failure.message).join('\n'));
  }
}

/** @throws StackProblem with one sentence for each malformed address */
function checkAddresses(names: readonly ServiceName[]): void {
  const problems = names.flatMap((name) => {
    const address = givenAddress(name);
    try {
      if (address !== undefined) services[name].connectionFromAddress(address);
      return [];
    } catch (error) {
      if (error instanceof StackProblem) return error.problems;
      throw error;
    }
  });
  if (problems.length > 0) throw new StackProblem(problems);
}

/** The first write to the folder, where a full disk or a lack of rights shows. */
function noteState(state: StackState): void {
  try {
    writeState(state);
  } catch (error) {
    const problem = storageProblem(error, state.dir);
    throw problem === undefined ? error : new StackProblem([problem], { cause: error });
  }
}

/** A folder that was made for a stack which then came to nothing. */
function removeEmpty(dir: string): void {
  if (readdirSync(dir).length === 0) rmdirSync(dir);
}

/**
 * Ends every process of a stack; with `purge` also removes its folder, as far as it holds nothing else. Does nothing
 * where there is no stack.
 *
 * @throws StackProblem with `purge`, when the folder is not a stack's own
 */
export async function down(options: DownOptions = {}): Promise<void> {
  const dir = stackDir(options.dir);
  if (!existsSync(dir)) return;
  await exclusively(dir, options.onProgress, async () => {
    const state = readState(dir);
    if (state === undefined) {
      if (options.purge === true) throw new StackProblem([`${dir} holds no stack; nothing was removed`]);
      return;
    }
    const needed = new Set(serviceNames.flatMap((name) => services[name].needs));
    for (const round of [serviceNames.filter((name) => !needed.has(name)), [...needed]]) {
      await Promise.all(
        round.map(async (name) => {
          if (instanceOf(state, name, () => undefined) === undefined) return;
          await stopService(state, name);
          options.onProgress?.({ service: name, message: 'stopped' });
        }),
      );
    }
    if (options.purge === true) await purge(state, options.onProgress);
  });
}

/** Removes what a stack puts into its folder, and the folder if that was all. `readState` has checked whose it is. */
async function purge(state: StackState, onProgress: UpOptions['onProgress']): Promise<void> {
  // Not at once: the network goes with the last container.
  for (const name of serviceNames) {
    const resolution = state.services[name]?.resolution;
    if (resolution?.kind === 'docker') await removeData(resolution);
    // Before the user gave an address it may have run in Docker, under the name that follows from the stack's own.
    else if (
      resolution?.kind === 'address' &&
      services[name].image !== undefined &&
      (await dockerAnswers())
    ) {
      await removeData(dockerResolution(state.id, name, services[name].image));
    }
  }
  for (const entry of [...serviceNames, 'logs'])
    rmSync(join(state.dir, entry), { recursive: true, force: true });
  const files = readdirSync(state.dir).filter((file) => /^stack\.json(?:\.\d+\.tmp)?$/.test(file));
  for (const file of files) rmSync(join(state.dir, file));
  const others = readdirSync(state.dir);
  if (others.length === 0) rmdirSync(state.dir);
  else onProgress?.({ message: `${state.dir} stays: ${others.join(', ')} did not come from the stack` });
}

function exclusively<T>(
  dir: string,
  onProgress: UpOptions['onProgress'],
  work: () => Promise<T>,
): Promise<T> {
  const waiting = () => onProgress?.({ message: `waiting: another process works on the stack in ${dir}` });
  return withLock(`stack ${dir}`, waiting, work);
}

function withNeeds(names: readonly ServiceName[]): ServiceName[] {
  const all = new Set<ServiceName>();
  const add = (name: ServiceName) => {
    // A service that the user has elsewhere brings its needs with it.
    if (givenAddress(name) === undefined) services[name].needs.forEach(add);
    all.add(name);
  };
  names.forEach(add);
  return [...all];
}
