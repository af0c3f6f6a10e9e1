/** Ctrl-C, SIGTERM, a closed terminal, or nobody who reads the output any more: one request to end in good order. */
export interface Interruption {
  /** Aborts at the first of them. */
  readonly signal: AbortSignal;
  /** Exit code of a process that ended because of it, as shells count: 128 and the signal's number. */
  readonly exitCode: number;
  /** What the second of them does before the process exits; the third does not wait for it. */
  onForce: () => Promise<void>;
  /** Listens no longer. After a request the process exits soon, whatever still tries to reach a server that is out. */
  close(): void;
}

const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
/** For what follows in good order; a connection that is being tried would keep the process for seconds. */
const REMAINS_MS = 500;
/** What SIGPIPE would make of it. */
export const CLOSED_OUTPUT = 141;

/** Listens until it is closed. In its place a signal would end the process at once. */
export function openInterruption(): Interruption {
  const controller = new AbortController();
  let exitCode = 0;
  let requests = 0;
  const request = (code: number): void => {
    requests++;
    if (requests === 1) {
      exitCode = code;
      controller.abort();
    } else if (requests === 2) {
      void interruption.onForce().finally(() => process.exit(code));
    } else process.exit(code);
  };
  const listeners = Object.entries(CODES).map(([signal, code]) => [signal, () => request(code)] as const);
  for (const [signal, listener] of listeners) process.on(signal, listener);
  // Every write of a follower reports it again.
  const outputClosed = (): void => {
    if (requests === 0) request(CLOSED_OUTPUT);
  };
  const ordinary = process.stdout.listeners('error') as (() => void)[];
  process.stdout.removeAllListeners('error').on('error', outputClosed);
  const interruption: Interruption = {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    onForce: () => Promise.resolve(),
    close() {
      for (const [signal, listener] of listeners) process.removeListener(signal, listener);
      process.stdout.removeListener('error', outputClosed);
      for (const listener of ordinary) process.stdout.on('error', listener);
      if (requests > 0) setTimeout(() => process.exit(), REMAINS_MS).unref();
    },
  };
  return interruption;
}
