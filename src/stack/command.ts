import { spawn } from 'node:child_process';
import type { Account } from './account.ts';
import { installerEnvironment } from './environment.ts';
import { interruptionSignal, throwIfInterrupted } from './interruption.ts';
import { signalTree } from './process-table.ts';

interface CommandOptions {
  cwd?: string;
  /** Whole environment; default: the user's own, as installers need it. */
  env?: Record<string, string>;
  /** Text for the program's standard input. */
  input?: string;
  account?: Account;
  /** The program and all below it are killed after this time. @default no limit */
  timeoutMs?: number;
}

/**
 * Runs a program to its end and returns what it wrote to standard output. An interruption kills it with all below it.
 *
 * @throws Error with the last lines of its output when it fails; the interruption's reason
 */
export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const interruption = interruptionSignal();
  return new Promise((resolve, reject) => {
    throwIfInterrupted();
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env ?? installerEnvironment(),
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.account && { uid: options.account.uid, gid: options.account.gid }),
    });
    const kill = () => signalTree(child.pid, 'SIGKILL');
    interruption?.addEventListener('abort', kill);
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(kill, options.timeoutMs);
    const settle = () => {
      clearTimeout(timer);
      interruption?.removeEventListener('abort', kill);
    };
    let stdout = '';
    let everything = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      everything += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (everything += text));
    child.once('error', (error) => {
      settle();
      reject(new Error(`${program} does not run: ${error.message}`, { cause: error }));
    });
    child.once('close', (code, signal) => {
      settle();
      if (interruption?.aborted === true) return reject(interruption.reason as Error);
      if (code === 0) return resolve(stdout);
      const lines = everything.trimEnd().split('\n').slice(-15);
      const ending = signal === null ? `exit code ${code}` : `signal ${signal}`;
      reject(
        new Error(
          `${[program, ...args].join(' ')} failed (${ending}):\n${lines.map((line) => `  | ${line}`).join('\n')}`,
        ),
      );
    });
    // A program that ends before it has read its input is reported by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** What `program args` prints that matches, or undefined when it does not run or prints something else. */
export async function versionOf(
  program: string,
  pattern: RegExp,
  args = ['--version'],
): Promise<string | undefined> {
  const output = await runCommand(program, args).catch(() => '');
  return pattern.exec(output)?.[1];
}

/** True when a dotted version is at least the other one. */
export function isAtLeast(version: string, minimum: string): boolean {
  const parts = version.split('.').map((part) => Number.parseInt(part, 10));
  const wanted = minimum.split('.').map(Number);
  for (const [index, want] of wanted.entries()) {
    const have = parts[index] ?? 0;
    if (have !== want) return have > want;
  }
  return true;
}
