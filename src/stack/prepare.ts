import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { databaseAccount } from './account.ts';
import { instanceOf, type Report } from './instance.ts';
import { freePort, isFree } from './ports.ts';
import { stopProcesses } from './process.ts';
import { describeResolution, type Instance, type Resolution, type Service } from './service.ts';
import { writeState, type ServiceState, type StackState } from './state.ts';

/** Ports asked for: `mariadb` is the first port of that service, `temporal.ui` one by its name. */
export type WantedPorts = Readonly<Record<string, number>>;

/** Everything before the start: the software, the folder, the ports and the secrets. */
export async function prepare(
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

/** What a stack knows of a service that it has not had yet. */
export function newEntry(state: StackState, service: Service, resolution: Resolution): ServiceState {
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

/** @throws Error when a running service listens elsewhere than asked */
export function checkRunningPorts(service: Service, running: Instance, wanted: WantedPorts): void {
  for (const name of service.ports) {
    const asked = wantedPort(service, name, wanted);
    if (asked === undefined || asked === running.ports[name]) continue;
    throw new Error(`it runs at port ${running.ports[name]}, not ${asked}; take the stack down first`);
  }
}
