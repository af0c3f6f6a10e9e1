import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { databaseAccount } from './account.ts';
import { setting } from './environment.ts';
import { freePort, isFree } from './ports.ts';
import { isAlive } from './process-table.ts';
import { killProcesses, stopProcesses } from './process.ts';
import {
  describeResolution,
  type Instance,
  type Resolution,
  type Service,
  type ServiceName,
} from './service.ts';
import { services } from './services.ts';
import { writeState, type ServiceState, type StackState } from './state.ts';

const portPatienceMs = 5_000;

/** One line of progress of one service. */
export type Report = (message: string) => void;

/** Ports asked for: `mariadb` is the first port of that service, `temporal.ui` one by its name. */
export type WantedPorts = Readonly<Record<string, number>>;

/** The address that the user gives for a service, if any. */
export function givenAddress(name: ServiceName): string | undefined {
  return setting(`FERRY_STACK_${name.toUpperCase()}`);
}

/**
 * The instance that a service works on, or undefined where the service is not run by this stack.
 */
export function instanceOf(state: StackState, name: ServiceName, report: Report): Instance | undefined {
  const entry = state.services[name];
  if (entry === undefined || entry.resolution.kind === 'address') return undefined;
  const needs = services[name].needs.map((need) => [need, state.services[need]?.connection]);
  return {
    dir: entry.dir,
    logFile: entry.logFile,
    resolution: entry.resolution,
    ports: entry.ports,
    secrets: entry.secrets,
    needs: Object.fromEntries(needs) as Instance['needs'],
    processes: entry.processes,
    keep(process) {
      entry.processes.push(process);
      writeState(state);
    },
    report,
  };
}

/** True when all processes of a service run and it answers. */
export async function isHealthy(service: Service, instance: Instance): Promise<boolean> {
  if (instance.processes.length === 0 || !instance.processes.every(isAlive)) return false;
  return service.health(instance).then(
    () => true,
    () => false,
  );
}

/**
 * Brings one service to health: takes the address given by the user, attaches to what runs, or resolves and starts.
 * What it needs must be up.
 *
 * @throws Error naming the service
 */
export async function bringUp(
  state: StackState,
  name: ServiceName,
  wanted: WantedPorts,
  report: Report,
): Promise<void> {
  const service = services[name];
  try {
    const address = givenAddress(name);
    if (address !== undefined) return await useAddress(state, service, address, report);
    const running = instanceOf(state, name, report);
    if (running !== undefined && (await isHealthy(service, running))) {
      checkRunningPorts(service, running, wanted);
      report('already running');
      return await service.refresh?.(running);
    }
    await prepare(state, service, wanted, report);
    await startService(state, name, report);
  } catch (error) {
    throw new Error(`${service.title}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/**
 * Starts a service that is part of the stack on its own ports and data, ending first what is left of it.
 *
 * @throws Error ending with the last lines of its log; nothing of the service is left running then
 */
export async function startService(state: StackState, name: ServiceName, report: Report): Promise<void> {
  const entry = entryOf(state, name);
  const instance = instanceOf(state, name, report);
  if (instance === undefined) throw new Error(`${name} is not run by this stack`);
  const begin = performance.now();
  await stopProcesses(entry.processes);
  entry.processes.length = 0;
  for (const port of Object.values(entry.ports)) await untilFree(port);
  try {
    await services[name].start(instance);
  } catch (error) {
    await killProcesses(entry.processes);
    entry.processes.length = 0;
    writeState(state);
    throw error;
  }
  report(
    `started in ${((performance.now() - begin) / 1_000).toFixed(1)} s, port ${Object.values(entry.ports)[0]}`,
  );
}

/** @throws Error when the stack does not have that service */
export function entryOf(state: StackState, name: ServiceName): ServiceState {
  const entry = state.services[name];
  if (entry === undefined) throw new Error(`the stack in ${state.dir} has no ${name}`);
  return entry;
}

async function useAddress(
  state: StackState,
  service: Service,
  address: string,
  report: Report,
): Promise<void> {
  const connection = service.connectionFromAddress(address);
  const entry = state.services[service.name] ?? newEntry(state, service, { kind: 'address', address });
  await stopProcesses(entry.processes);
  entry.processes.length = 0;
  entry.resolution = { kind: 'address', address };
  entry.connection = connection;
  state.services[service.name] = entry;
  writeState(state);
  report(describeResolution(entry.resolution));
}

/** Everything before the start: the software, the folder, the ports and the secrets. */
async function prepare(
  state: StackState,
  service: Service,
  wanted: WantedPorts,
  report: Report,
): Promise<void> {
  const previous = state.services[service.name];
  const resolution = await resolveOrInstall(service, previous?.resolution, report);
  report(describeResolution(resolution));
  const entry = previous ?? newEntry(state, service, resolution);
  entry.resolution = resolution;
  // What is left of it would hold its ports.
  await stopProcesses(entry.processes);
  entry.processes.length = 0;
  await choosePorts(state, service, entry, wanted);
  mkdirSync(entry.dir, { recursive: true });
  mkdirSync(join(state.dir, 'logs'), { recursive: true });
  chmodSync(entry.dir, databaseAccount() === undefined ? 0o700 : 0o711);
  state.services[service.name] = entry;
  const instance = instanceOf(state, service.name, report);
  if (instance !== undefined) entry.connection = service.connection(instance);
  writeState(state);
}

/** A stack stays with the software that made its data, as long as that is there. */
async function resolveOrInstall(
  service: Service,
  previous: Resolution | undefined,
  report: Report,
): Promise<Resolution> {
  if (previous?.kind === 'path' && existsSync(previous.program)) return previous;
  if (previous?.kind === 'registry') return service.install(report);
  return (await service.resolve()) ?? service.install(report);
}

function newEntry(state: StackState, service: Service, resolution: Resolution): ServiceState {
  return {
    resolution,
    connection: {},
    ports: {},
    secrets: service.newSecrets(),
    processes: [],
    dir: join(state.dir, service.name),
    logFile: join(state.dir, 'logs', `${service.name}.log`),
  };
}

function wantedPort(service: Service, port: string, wanted: WantedPorts): number | undefined {
  const byName = wanted[`${service.name}.${port}`];
  return byName ?? (port === service.ports[0] ? wanted[service.name] : undefined);
}

async function choosePorts(
  state: StackState,
  service: Service,
  entry: ServiceState,
  wanted: WantedPorts,
): Promise<void> {
  const others = Object.values(state.services).filter((other) => other !== entry);
  const taken = new Set([...others.flatMap((other) => Object.values(other.ports)), ...Object.values(wanted)]);
  for (const name of service.ports) {
    const asked = wantedPort(service, name, wanted);
    if (asked !== undefined && !(await isFree(asked)))
      throw new Error(`port ${asked} is taken by another program`);
    const kept = entry.ports[name];
    const port = asked ?? (kept !== undefined && (await isFree(kept)) ? kept : await freePort(taken));
    taken.add(port);
    entry.ports[name] = port;
  }
}

function checkRunningPorts(service: Service, running: Instance, wanted: WantedPorts): void {
  for (const name of service.ports) {
    const asked = wantedPort(service, name, wanted);
    if (asked === undefined || asked === running.ports[name]) continue;
    throw new Error(`it runs at port ${running.ports[name]}, not ${asked}; take the stack down first`);
  }
}

async function untilFree(port: number): Promise<void> {
  const deadline = Date.now() + portPatienceMs;
  while (!(await isFree(port))) {
    if (Date.now() > deadline) throw new Error(`its port ${port} is taken by another program`);
    await sleep(100);
  }
}
