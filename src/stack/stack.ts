import { existsSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { bringUp, givenAddress, startService } from './bring-up.ts';
import { entryOf, instanceOf } from './instance.ts';
import { withLock } from './lock.ts';
import type { WantedPorts } from './prepare.ts';
import { killProcesses } from './process.ts';
import { serviceNames, type ServiceName } from './service.ts';
import { defaultServices, services } from './services.ts';
import { environment, type StackEnvironment } from './stack-environment.ts';
import { createState, readState, stackDir, writeState, type StackState } from './state.ts';

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
 * @throws Error when there is none
 */
export function openStack(dir?: string): Stack {
  const folder = stackDir(dir);
  const state = () => {
    const found = readState(folder);
    if (found === undefined) throw new Error(`there is no stack in ${folder}; \`ferry stack up\` makes one`);
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
    kill: (name) => change(name, async (current) => killProcesses(entryOf(current, name).processes)),
  };
}

/**
 * Makes a stack, starts one whose processes have ended again with its data, or attaches to one that runs; starts only
 * what is not healthy. What has been started stays when another service fails.
 *
 * @throws AggregateError with one Error for each service that failed; Error when a port's name is unknown
 */
export async function up(options: UpOptions = {}): Promise<Stack> {
  const dir = stackDir(options.dir);
  const wanted = withNeeds(options.services ?? defaultServices);
  checkPortNames(options.ports ?? {});
  await exclusively(dir, options.onProgress, async () => {
    const state = readState(dir) ?? createState(dir);
    writeState(state);
    const started = new Map<ServiceName, Promise<void>>();
    // Needs come before those who need them.
    for (const name of wanted) {
      const report = (message: string) => options.onProgress?.({ service: name, message });
      const needs = Promise.all(services[name].needs.map((need) => started.get(need) ?? Promise.resolve()));
      started.set(
        name,
        needs.then(
          () => bringUp(state, name, options.ports ?? {}, report),
          () => undefined,
        ),
      );
    }
    const results = await Promise.allSettled(started.values());
    const failures = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason as Error] : [],
    );
    if (failures.length > 0) {
      throw new AggregateError(failures, failures.map((failure) => failure.message).join('\n'));
    }
  });
  return openStack(dir);
}

/**
 * Ends every process of a stack; with `purge` also removes its folder, as far as it holds nothing else. Does nothing
 * where there is no stack.
 *
 * @throws Error with `purge`, when the folder is not a stack's own
 */
export async function down(options: DownOptions = {}): Promise<void> {
  const dir = stackDir(options.dir);
  if (!existsSync(dir)) return;
  await exclusively(dir, options.onProgress, async () => {
    const state = readState(dir);
    if (state === undefined) {
      if (options.purge === true) throw new Error(`${dir} holds no stack; nothing was removed`);
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
    if (options.purge === true) purge(state, options.onProgress);
  });
}

async function stopService(state: StackState, name: ServiceName): Promise<void> {
  const instance = instanceOf(state, name, () => undefined);
  if (instance === undefined) throw new Error(`${name} is not run by this stack`);
  await services[name].stop(instance);
}

/** Removes what a stack puts into its folder, and the folder if that was all. `readState` has checked whose it is. */
function purge(state: StackState, onProgress: UpOptions['onProgress']): void {
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

function checkPortNames(ports: WantedPorts): void {
  const known = serviceNames.flatMap((name) => [
    name,
    ...services[name].ports.map((port) => `${name}.${port}`),
  ]);
  const unknown = Object.keys(ports).filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`unknown ports: ${unknown.join(', ')}; known: ${known.join(', ')}`);
}
