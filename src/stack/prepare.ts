import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { databaseAccount } from './account.ts';
import { clearRemains } from './ending.ts';
import { instanceOf, type Report } from './instance.ts';
import { freePort, isFree } from './ports.ts';
import { resolveOrInstall } from './resolve.ts';
import { describeResolution, type Resolution, type Service } from './service.ts';
import { writeState, type ServiceState, type StackState } from './state.ts';
import { wantedPort, type WantedPorts } from './wanted-ports.ts';

/** What the caller of `up` may ask of every service. */
export interface Wishes {
  ports: WantedPorts;
  /** Whether Docker may be used. */
  docker: boolean;
}

/** Everything before the start: the software, the folder, the ports and the secrets. */
export async function prepare(
  state: StackState,
  service: Service,
  { ports: wanted, docker }: Wishes,
  report: Report,
): Promise<void> {
  const previous = state.services[service.name];
  const resolution = await resolveOrInstall(state, service, docker, report);
  report(describeResolution(resolution));
  const entry = previous ?? newEntry(state, service, resolution);
  entry.resolution = resolution;
  // What is left of it would hold its ports.
  await clearRemains(entry);
  await choosePorts(state, service, entry, wanted);
  mkdirSync(entry.dir, { recursive: true });
  mkdirSync(join(state.dir, 'logs'), { recursive: true });
  chmodSync(entry.dir, databaseAccount() === undefined ? 0o700 : 0o711);
  state.services[service.name] = entry;
  const instance = instanceOf(state, service.name, report);
  if (instance !== undefined) entry.connection = service.connection(instance);
  writeState(state);
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

async function choosePorts(
  state: StackState,
  service: Service,
  entry: ServiceState,
  wanted: WantedPorts,
): Promise<void> {
  const others = Object.values(state.services).filter((other) => other !== entry);
  const taken = new Set([...others.flatMap((other) => Object.values(other.ports)), ...Object.values(wanted)]);
  for (const name of service.ports) {
    const asked = wantedPort(service, name, wanted)?.port;
    const kept = entry.ports[name];
    const port = asked ?? (kept !== undefined && (await isFree(kept)) ? kept : await freePort(taken));
    taken.add(port);
    entry.ports[name] = port;
  }
}
