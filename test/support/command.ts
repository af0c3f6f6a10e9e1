import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** What a command left behind. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Running {
  /** Everything printed so far, standard output and standard error as they came. */
  output(): string;
  /** Presses Ctrl-C: on a terminal the key, else SIGINT to the command. */
  interrupt(): void;
  /** Closes the reading end of standard output, as `| head` does. */
  closeOutput(): void;
  readonly ended: Promise<Ended>;
}

/** Runs `ferry` in an empty folder, with these variables and none that would change what it does. */
export class Ferry {
  readonly dir = mkdtempSync(join(tmpdir(), 'ferry-command-'));
  readonly #children = new Set<ChildProcess>();
  readonly #env: Readonly<Record<string, string>>;

  /** @param env of every command */
  constructor(env: Readonly<Record<string, string>> = {}) {
    this.#env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.dir,
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      FERRY_STACK_DIR: join(this.dir, 'no-stack'),
      ...env,
    };
  }

  /** @param settings on top; an empty value takes the variable away */
  start(args: readonly string[], settings: Readonly<Record<string, string>> = {}): Running {
    return this.#spawn(process.execPath, [CLI, ...args], settings, (child) => child.kill('SIGINT'));
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], settings: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return this.start(args, settings).ended;
  }

  /** As {@link start}, on a terminal of 80 columns; what it shows is in `stdout`. */
  startOnTerminal(args: readonly string[], settings: Readonly<Record<string, string>> = {}): Running {
    const command = [process.execPath, CLI, ...args];
    // The key goes through the terminal, so that it reaches whatever has it in the foreground.
    return this.#spawn('python3', ['-c', TERMINAL, ...command], { TERM: 'xterm', ...settings }, (child) =>
      child.stdin?.write('\x03'),
    );
  }

  /** Ends what still runs. */
  close(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  #spawn(
    program: string,
    args: readonly string[],
    settings: Readonly<Record<string, string>>,
    interrupt: (child: ChildProcess) => void,
  ): Running {
    const env = Object.entries({ ...this.#env, ...settings }).filter(([, value]) => value !== '');
    const child = spawn(program, args, { cwd: this.dir, env: Object.fromEntries(env), stdio: 'pipe' });
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data: Buffer) => (output += data.toString()));
    }
    const ended = Promise.all([
      text(child.stdout).catch(() => ''),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
    ]).then(([stdout, stderr, [code, signal]]) => ({ code, signal, stdout, stderr }));
    return {
      output: () => output,
      interrupt: () => interrupt(child),
      closeOutput: () => child.stdout.destroy(),
      ended,
    };
  }
}

/** Waits until a command has printed something that matches. @throws Error with all that it printed instead */
export async function printed(running: Running, pattern: RegExp, timeoutMs = 90_000): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; await sleep(50)) {
    if (pattern.test(running.output())) return;
  }
  throw new Error(`Not within ${timeoutMs / 1_000} s: ${pattern.source} in\n${running.output()}`);
}

/** Runs a command on a terminal of its own; its exit code, or 128 and the signal that ended it, becomes ours. */
const TERMINAL = `
import fcntl, os, pty, select, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
sources = [terminal, 0]
while True:
    ready, _, _ = select.select(sources, [], [])
    if 0 in ready:
        keys = os.read(0, 1024)
        if keys:
            os.write(terminal, keys)
        else:
            sources.remove(0)
    if terminal in ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            break
        if not data:
            break
        os.write(1, data)
_, status = os.waitpid(pid, 0)
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
`;
