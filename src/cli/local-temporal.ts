import { hostname } from 'node:os';
import type { Client } from '@temporalio/client';
import { pollers } from '../client/pollers.ts';
import { temporalConfig, withTemporalOf, type Environment } from '../config.ts';
import { isDockerWanted } from '../stack/docker.ts';
import { identify } from '../stack/process-table.ts';
import { openStack, status, up, type Progress } from '../stack/stack.ts';
import { withProblems } from './stack.ts';

/** The Temporal that `ferry run` uses. */
export interface TemporalPlace {
  /** The settings, with that Temporal's address and namespace. */
  readonly environment: Environment;
  /** Whether the stack runs it while the other services are the user's own. */
  readonly isBorrowed: boolean;
  /** Whether it runs because of this process. */
  readonly isStartedHere: boolean;
  /**
   * Stops it if it was started here, unless it is to be kept; its data stays. Every call waits for the one stop.
   *
   * @throws Error when it cannot be stopped
   */
  stop(): Promise<void>;
  /** Leaves it running for others. */
  keep(): void;
}

/**
 * The Temporal that the settings name; else the local stack's, which is started unless it runs.
 *
 * @param signal gives up the start
 * @throws InputError where something has to be mended first; Error when it cannot be started
 */
export function openTemporal(
  environment: Environment,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<TemporalPlace> {
  return withProblems(() => openPlace(environment, onProgress, signal));
}

async function openPlace(
  environment: Environment,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<TemporalPlace> {
  const isNamed = temporalConfig(environment).connectionOptions.address !== undefined;
  if (isNamed) {
    return { environment, isBorrowed: false, isStartedHere: false, stop: async () => {}, keep: () => {} };
  }
  const wasRunning = (await running()).includes('temporal');
  const wanted = { services: ['temporal'], docker: isDockerWanted(), onProgress, signal } as const;
  const stack = wasRunning ? openStack() : await up(wanted);
  const isStartedHere = !wasRunning && stack.state().services.temporal?.resolution.kind !== 'address';
  let stopped: Promise<void> | null = isStartedHere ? null : Promise.resolve();
  return {
    environment: withTemporalOf(environment, stack.environment()),
    isBorrowed: !environment.isStack,
    isStartedHere,
    stop: () => (stopped ??= stack.stop('temporal')),
    keep: () => void (stopped ??= Promise.resolve()),
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
    return isHere && (Number(pid) === process.pid || identify(Number(pid)) === undefined) ? [] : [identity];
  });
}
