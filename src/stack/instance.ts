import { isAlive } from './process-table.ts';
import type { Instance, Service, ServiceName } from './service.ts';
import { services } from './services.ts';
import { writeState, type ServiceState, type StackState } from './state.ts';

/** One line of progress of one service. */
export type Report = (message: string) => void;

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

/** @throws Error when the stack does not have that service */
export function entryOf(state: StackState, name: ServiceName): ServiceState {
  const entry = state.services[name];
  if (entry === undefined) throw new Error(`the stack in ${state.dir} has no ${name}`);
  return entry;
}
