import { setTimeout as sleep } from 'node:timers/promises';
import { killProcesses } from '../src/stack/process.ts';
import { identify, withDescendants } from '../src/stack/process-table.ts';

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** npm passes a Ctrl-C on to a program that the terminal has told already. */
const SAME_KEYPRESS_MS = 1_000;

/** Ctrl-C and its like: ends the work at any time and lets the demo clean up; a second one ends the demo at once. */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #onInterrupt: () => void;
  #exitCode: number | null = null;
  #at = 0;

  /** @param onInterrupt called at the first signal */
  constructor(onInterrupt: () => void) {
    this.#onInterrupt = onInterrupt;
    for (const name of Object.keys(EXIT_CODES) as (keyof typeof EXIT_CODES)[]) {
      process.on(name, () => this.#receive(EXIT_CODES[name]));
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What the demo has to exit with; null unless interrupted. */
  get exitCode(): number | null {
    return this.#exitCode;
  }

  /**
   * Runs the work to its end. After a signal everything below this process is killed until the work has noticed: it may
   * be in the middle of a build that takes minutes.
   */
  async guard(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    let hasEnded = false;
    const ended = work(this.signal).finally(() => (hasEnded = true));
    const killing = async (): Promise<void> => {
      while (!hasEnded) {
        await killChildren();
        await sleep(100);
      }
    };
    this.signal.addEventListener('abort', () => void killing());
    await ended;
  }

  #receive(exitCode: number): void {
    if (this.#exitCode === null) {
      this.#exitCode = exitCode;
      this.#at = Date.now();
      this.#onInterrupt();
      this.#controller.abort(new Error('interrupted'));
    } else if (Date.now() - this.#at > SAME_KEYPRESS_MS) {
      process.exit(exitCode);
    }
  }
}

/** Kills whatever this process has started and is still running. */
export async function killChildren(): Promise<void> {
  const self = identify(process.pid);
  if (self === undefined) return;
  await killProcesses(withDescendants([self]).filter(({ pid }) => pid !== self.pid));
}
