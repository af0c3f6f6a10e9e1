import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identify, pidsWorkingIn } from '../../src/stack/process-table.ts';
import { killProcesses } from '../../src/stack/process.ts';
import { down } from '../../src/stack/stack.ts';

const FERRY = join(import.meta.dirname, '../../bin/ferry.js');

/** A running `ferry`, or another program that runs it. */
export interface Running {
  readonly child: ChildProcess;
  /** Waits until standard error matches. @throws Error with all of it when the program ends before */
  says(pattern: RegExp): Promise<void>;
  ended: Promise<Ended>;
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder for one test's stack, and everything that the command is told about this machine. */
export interface Place {
  readonly home: string;
  readonly dir: string;
  readonly env: Record<string, string>;
  /** @param prefix a program that runs another one, such as `unshare -m` */
  start(args: readonly string[], env?: Record<string, string>, prefix?: readonly string[]): Running;
  run(args: readonly string[], env?: Record<string, string>, prefix?: readonly string[]): Promise<Ended>;
  /** Pids of what works below the stack's folder. */
  pids(): number[];
  /** Takes the stack down and removes everything. */
  close(): Promise<void>;
}

export function openPlace(): Place {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'ferry-place-')));
  // As root the databases run as another user, who has to pass through.
  chmodSync(home, 0o711);
  const dir = join(home, 'stack');
  const cache = process.env['XDG_CACHE_HOME'];
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: process.env['HOME'] ?? '',
    ...(cache !== undefined && { XDG_CACHE_HOME: cache }),
    TMPDIR: home,
    FERRY_STACK_DIR: dir,
    FERRY_STACK_DOCKER: '0',
  };
  const start: Place['start'] = (args, changes = {}, prefix = []) => {
    const [program = '', ...rest] = [...prefix, process.execPath, FERRY, ...args];
    const child = spawn(program, rest, {
      cwd: home,
      env: { ...env, ...changes },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => (output[name] += text));
    }
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }));
    const says = (pattern: RegExp) =>
      new Promise<void>((resolve, reject) => {
        const look = () => pattern.test(output.stderr) && resolve();
        child.stderr.on('data', look);
        child.once('close', () => reject(new Error(`it never said ${pattern}:\n${output.stderr}`)));
        look();
      });
    return { child, says, ended };
  };
  return {
    home,
    dir,
    env,
    start,
    run: (...args) => start(...args).ended,
    pids: () => pidsWorkingIn(dir),
    async close() {
      await down({ dir }).catch(() => undefined);
      // A test that failed may have left a stack that `down` refuses.
      await killProcesses(pidsWorkingIn(dir).flatMap((pid) => identify(pid) ?? []));
      rmSync(home, { recursive: true, force: true });
    },
  };
}
