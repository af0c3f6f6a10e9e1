import { entryOf, instanceOf, isHealthy } from './instance.ts';
import { isAlive } from './process-table.ts';
import { describeResolution, serviceNames, type ServiceName } from './service.ts';
import { services } from './services.ts';
import { readState, stackDir, type StackState } from './state.ts';

export interface ServiceStatus {
  name: ServiceName;
  title: string;
  status: 'running' | 'unhealthy' | 'stopped' | 'external';
  /** Which resolution it took, in words. */
  resolution: string;
  ports: Record<string, number>;
  pids: number[];
  logFile: string;
}

export interface StackStatus {
  dir: string;
  /** Empty when there is no stack in that folder. */
  services: ServiceStatus[];
}

/** How the services of a stack are; asks each of them. */
export async function status(options: { dir?: string } = {}): Promise<StackStatus> {
  const dir = stackDir(options.dir);
  const state = readState(dir);
  const names = serviceNames.filter((name) => state?.services[name] !== undefined);
  return { dir, services: await Promise.all(names.map((name) => serviceStatus(state as StackState, name))) };
}

async function serviceStatus(state: StackState, name: ServiceName): Promise<ServiceStatus> {
  const service = services[name];
  const { resolution, ports, processes, logFile } = entryOf(state, name);
  const instance = instanceOf(state, name, () => undefined);
  const alive = processes.filter(isAlive);
  const running = async () => {
    if (instance === undefined) return 'external';
    if (alive.length === 0) return 'stopped';
    return (await isHealthy(service, instance)) ? 'running' : 'unhealthy';
  };
  return {
    name,
    title: service.title,
    status: await running(),
    resolution: describeResolution(resolution),
    ports,
    pids: alive.map((process) => process.pid),
    logFile,
  };
}
