import { removeContainer } from './docker.ts';
import { killProcesses, stopProcesses } from './process.ts';
import { instanceOf } from './instance.ts';
import type { ServiceName } from './service.ts';
import { services } from './services.ts';
import type { ServiceState, StackState } from './state.ts';

/** Ends a service in its orderly way, with its container. @throws Error when the stack does not run it */
export async function stopService(state: StackState, name: ServiceName): Promise<void> {
  const instance = instanceOf(state, name, () => undefined);
  if (instance === undefined) throw new Error(`${name} is not run by this stack`);
  await services[name].stop(instance);
  await removeContainerOf(instance);
}

/** SIGKILL to all that runs of a service, as a crash would do; returns when it is gone. */
export async function killRemains(entry: ServiceState): Promise<void> {
  const client = removeContainerOf(entry);
  // A client that was killed alone would leave its container behind, so both are ended whatever becomes of one.
  await killProcesses(entry.processes);
  await client;
}

/** Ends what is left of a service, so that it can start again, and forgets its processes. */
export async function clearRemains(entry: ServiceState): Promise<void> {
  await stopProcesses(entry.processes);
  await removeContainerOf(entry);
  entry.processes.length = 0;
}

async function removeContainerOf({ resolution }: Pick<ServiceState, 'resolution'>): Promise<void> {
  if (resolution.kind === 'docker') await removeContainer(resolution.container);
}
