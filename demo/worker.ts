import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Place } from './place.ts';

const START_TIMEOUT_MS = 60_000;
const LOG_LINES = 15;

/** A worker process of the product, started as users start it. */
export interface DemoWorker {
  readonly pid: number;
  /** @throws Error with the end of its log if it has ended by itself */
  check(): void;
  /** SIGKILL, as a crash would do; returns when it is gone. */
  kill(): Promise<void>;
}

/** Starts a worker and waits until it polls. @throws Error with the end of its log if it does not */
export async function startWorker(place: Place, signal: AbortSignal): Promise<DemoWorker> {
  signal.throwIfAborted();
  const [program, args, options] = place.launch('worker.ts');
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (data: string) => (log += data));
  const exited = once(child, 'exit');
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const failure = (what: string): Error =>
    new Error(
      `The worker ${what}; the end of its log:\n${log.trimEnd().split('\n').slice(-LOG_LINES).join('\n')}`,
    );
  const check = (): void => {
    if (hasEnded()) throw failure(`has ended (${child.exitCode ?? child.signalCode})`);
  };
  const kill = async (): Promise<void> => {
    if (!hasEnded()) child.kill('SIGKILL');
    await exited;
  };
  try {
    for (const deadline = Date.now() + START_TIMEOUT_MS; !log.includes('"RUNNING"'); await sleep(100)) {
      signal.throwIfAborted();
      check();
      if (Date.now() > deadline) throw failure(`did not start within ${START_TIMEOUT_MS / 1_000} s`);
    }
  } catch (error) {
    await kill();
    throw error;
  }
  return { pid: child.pid ?? 0, check, kill };
}
