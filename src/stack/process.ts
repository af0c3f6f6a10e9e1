import { spawn } from 'node:child_process';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './account.ts';
import { serviceEnvironment } from './environment.ts';
import { pause, throwIfInterrupted } from './interruption.ts';
import { identify, isAlive, sendSignal, withDescendants, type ProcessIdentity } from './process-table.ts';
import type { Instance } from './service.ts';

const pollMs = 50;
const stopPatienceMs = 20_000;
const logTailBytes = 4_096;
const logTailLines = 15;

interface Program {
  program: string;
  args: readonly string[];
  env?: Record<string, string>;
  /** Another user than oneself; only root can ask for it. */
  account?: Account;
}

/**
 * Starts a program of a service that outlives this process: in a process group of its own, its output appended to the service's
 * log. The service's state knows the process before this returns.
 *
 * @throws Error when the program cannot be run
 */
export async function spawnProcess(instance: Instance, what: Program): Promise<ProcessIdentity> {
  throwIfInterrupted();
  const log = openSync(instance.logFile, 'a', 0o600);
  // What services write is nobody else's to read, whatever umask they would inherit.
  const umask = process.umask(0o077);
  try {
    const child = spawn(what.program, what.args, {
      cwd: instance.dir,
      detached: true,
      stdio: ['ignore', log, log],
      env: serviceEnvironment(what.env),
      ...(what.account && { uid: what.account.uid, gid: what.account.gid }),
    });
    // Some reasons are thrown, others come as an event, which would end this process if nobody listened.
    if (child.pid === undefined) throw await new Promise((resolve) => child.once('error', resolve));
    child.unref();
    const identity = identify(child.pid) ?? { pid: child.pid, startedAt: 'ended' };
    instance.keep(identity);
    return identity;
  } catch (error) {
    throw new Error(`${what.program} does not run: ${messageOf(error)}`, { cause: error });
  } finally {
    process.umask(umask);
    closeSync(log);
  }
}

/**
 * Waits until a check passes.
 *
 * @param check rejects while the service is not ready
 * @throws Error with the last reason and the last lines of the log, when the process ends or the time is over
 */
export async function untilHealthy(
  instance: Instance,
  check: () => Promise<void>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const alive = instance.processes.every(isAlive);
    const problem = alive ? await check().then(noProblem, messageOf) : 'its process has ended';
    throwIfInterrupted();
    if (problem === undefined) return;
    if (!alive || Date.now() > deadline) {
      throw new Error(`${problem}\n${logTail(instance.logFile)}`);
    }
    await pause(pollMs);
  }
}

/**
 * Ends processes and everything below them: the signal to the given ones, SIGKILL to what is left when patience ends.
 * Each is recognised by its start time, so a recycled pid is never touched.
 */
export async function stopProcesses(
  processes: readonly ProcessIdentity[],
  signal: NodeJS.Signals = 'SIGTERM',
  patienceMs = stopPatienceMs,
): Promise<void> {
  const all = withDescendants(processes);
  for (const process of processes) sendSignal(process, signal);
  const deadline = Date.now() + patienceMs;
  while (all.some(isAlive) && Date.now() < deadline) await sleep(pollMs);
  await killProcesses([...processes, ...all]);
}

/** SIGKILL to the given processes and everything below them; returns when they are gone. */
export async function killProcesses(processes: readonly ProcessIdentity[]): Promise<void> {
  let left = withDescendants(processes);
  while (left.length > 0) {
    for (const process of left) sendSignal(process, 'SIGKILL');
    await sleep(10);
    left = left.filter(isAlive);
  }
}

/** The last lines of a log, for the end of an error message. */
export function logTail(logFile: string): string {
  try {
    const size = statSync(logFile).size;
    const length = Math.min(size, logTailBytes);
    const buffer = Buffer.alloc(length);
    const file = openSync(logFile, 'r');
    readSync(file, buffer, 0, length, size - length);
    closeSync(file);
    const lines = buffer.toString('utf8').trimEnd().split('\n').slice(-logTailLines);
    return `The end of ${logFile}:\n${lines.map((line) => `  | ${line}`).join('\n')}`;
  } catch {
    return `There is no log at ${logFile}`;
  }
}

/** The message of anything thrown, with that of its cause: `fetch failed` alone tells nobody anything. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, cause } = error;
  return cause instanceof Error && !message.includes(cause.message)
    ? `${message}: ${cause.message}`
    : message;
}

function noProblem(): undefined {
  return undefined;
}
