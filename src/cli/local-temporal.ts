import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import { pollers } from '../client/pollers.ts';
import { temporalConfig, type Environment } from '../config.ts';
import { openStack, status, up, type Progress } from '../stack/stack.ts';

/** The Temporal that `ferry run` uses. */
export interface TemporalPlace {
  /** The settings, with that Temporal's address and namespace. */
  readonly environment: Environment;
  /** Whether the stack runs it while the other services are the user's own. */
  readonly isBorrowed: boolean;
  /** Whether it runs because of this process. */
  readonly isStartedHere: boolean;
  /** Stops it if it was started here, unless it is to be kept; its data stays. */
  stop(): Promise<void>;
  /** Leaves it running for others. */
  keep(): void;
}

/**
 * The Temporal that the settings name; else the local stack's, which is started unless it runs.
 *
 * @param signal gives up the start
 * @throws Error when it cannot be started
 */
export async function openTemporal(
  environment: Environment,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<TemporalPlace> {
  const isNamed = temporalConfig(environment).connectionOptions.address !== undefined;
  if (isNamed) {
    return { environment, isBorrowed: false, isStartedHere: false, stop: async () => {}, keep: () => {} };
  }
  const wasRunning = (await running()).includes('temporal');
  const stack = wasRunning ? openStack() : await up({ services: ['temporal'], onProgress, signal });
  const isStartedHere = !wasRunning && stack.state().services.temporal?.resolution.kind !== 'address';
  const { TEMPORAL_ADDRESS = '', TEMPORAL_NAMESPACE = '' } = stack.environment();
  const own = Object.entries(environment.values).filter(([name]) => !name.startsWith('TEMPORAL_'));
  let isSettled = !isStartedHere;
  return {
    // A stack's: no key, certificate or profile for another server may be sent to it.
    environment: {
      ...environment,
      values: { ...Object.fromEntries(own), TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE },
      isStack: true,
    },
    isBorrowed: !environment.isStack,
    isStartedHere,
    async stop() {
      if (isSettled) return;
      isSettled = true;
      await stack.stop('temporal');
    },
    keep: () => void (isSettled = true),
  };
}

/** Services of the local stack that can be used now. */
async function running(): Promise<string[]> {
  const { services } = await status();
  return services.flatMap(({ name, status: is }) => (is === 'running' || is === 'external' ? [name] : []));
}

/** Whether others would miss the local Temporal: workers besides this process, or the rest of the stack. */
export async function isMissedByOthers(client: Client): Promise<boolean> {
  if ((await running()).some((name) => name !== 'temporal')) return true;
  return (await otherWorkers(client)).length > 0;
}

/** Identities of the workers that poll besides this process; the server lists dead ones for a while. */
export async function otherWorkers(client: Client): Promise<string[]> {
  const polling = (await pollers(client)) ?? [];
  return polling.flatMap(({ identity }) => {
    const [, pid, host] = /^(\d+)@(.*)$/.exec(identity) ?? [];
    const isHere = host === hostname();
    return isHere && (Number(pid) === process.pid || !isAlive(Number(pid))) ? [] : [identity];
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process may not be signalled, but it is there.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
