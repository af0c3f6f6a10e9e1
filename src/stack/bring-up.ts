import { setting } from './environment.ts';
import { clearRemains, killRemains } from './ending.ts';
import { entryOf, instanceOf, isHealthy, type Report } from './instance.ts';
import { pause, throwIfInterrupted, uninterrupted } from './interruption.ts';
import { isFree } from './ports.ts';
import { newEntry, prepare, type Wishes } from './prepare.ts';
import { messageOf } from './process.ts';
import { describeResolution, type Service, type ServiceName } from './service.ts';
import { services } from './services.ts';
import { writeState, type StackState } from './state.ts';
import { storageProblem } from './storage-problem.ts';

const portPatienceMs = 5_000;

/** The address that the user gives for a service, if any. */
export function givenAddress(name: ServiceName): string | undefined {
  return setting(`FERRY_STACK_${name.toUpperCase()}`);
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
  wishes: Wishes,
  report: Report,
): Promise<void> {
  const service = services[name];
  try {
    const address = givenAddress(name);
    if (address !== undefined) return await useAddress(state, service, address, report);
    const running = instanceOf(state, name, report);
    if (running !== undefined && (await isHealthy(service, running))) {
      report('already running');
      return await service.refresh?.(running);
    }
    await prepare(state, service, wishes, report);
    await startService(state, name, report);
  } catch (error) {
    throwIfInterrupted();
    const problem = storageProblem(error, state.dir);
    const message = problem === undefined ? messageOf(error) : `${problem}\n${messageOf(error)}`;
    throw new Error(`${service.title}: ${message}`, { cause: error });
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
  await clearRemains(entry);
  for (const port of Object.values(entry.ports)) await untilFree(port);
  try {
    await services[name].start(instance);
  } catch (error) {
    await uninterrupted(() => killRemains(entry));
    entry.processes.length = 0;
    // On a full disk this fails too; the old file then names processes that are known to have ended.
    ignoringErrors(() => writeState(state));
    throw error;
  }
  report(
    `started in ${((performance.now() - begin) / 1_000).toFixed(1)} s, port ${Object.values(entry.ports)[0]}`,
  );
}

async function useAddress(
  state: StackState,
  service: Service,
  address: string,
  report: Report,
): Promise<void> {
  const connection = service.connectionFromAddress(address);
  const entry = state.services[service.name] ?? newEntry(state, service, { kind: 'address', address });
  await clearRemains(entry);
  entry.resolution = { kind: 'address', address };
  entry.connection = connection;
  state.services[service.name] = entry;
  writeState(state);
  report(describeResolution(entry.resolution));
}

async function untilFree(port: number): Promise<void> {
  const deadline = Date.now() + portPatienceMs;
  while (!(await isFree(port))) {
    if (Date.now() > deadline) {
      throw new Error(
        `its port ${port} is taken by another program; end that one, or run \`ferry stack up\`, which chooses another port`,
      );
    }
    await pause(100);
  }
}

function ignoringErrors(work: () => void): void {
  try {
    work();
  } catch {
    return;
  }
}
