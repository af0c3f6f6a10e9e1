import { StackProblem } from './problem.ts';
import type { ProcessIdentity } from './process-table.ts';

/** Every service of the stack, in the order in which `status` lists them. */
export const serviceNames = ['temporal', 'mariadb', 'postgres', 'postgrest', 'qdrant', 'embeddings'] as const;

export type ServiceName = (typeof serviceNames)[number];

/**
 * Where the software of a service comes from. The order of resolution is: an address in FERRY_STACK_<SERVICE>, a
 * program on PATH, Docker where its daemon answers and the caller of `up` allows it, a registry.
 */
export type Resolution =
  | { kind: 'address'; address: string }
  | { kind: 'path'; program: string; version: string }
  /** `container` is also the name of the volume with its data; `network` that of the stack. */
  | { kind: 'docker'; image: string; container: string; network: string }
  | { kind: 'registry'; program: string; version: string; registry: string }
  | { kind: 'own'; program: string };

/** A service's own names for what a client needs: host, port, url, key and the like. */
export type Values = Record<string, string>;

/** One service of one stack: what `start`, `health` and `stop` work on. */
export interface Instance {
  /** The service's own folder; also the working directory of its processes. */
  readonly dir: string;
  readonly logFile: string;
  readonly resolution: Exclude<Resolution, { kind: 'address' }>;
  readonly ports: Readonly<Record<string, number>>;
  readonly secrets: Readonly<Values>;
  /** What the services named in `needs` say about themselves. */
  readonly needs: Readonly<Partial<Record<ServiceName, Values>>>;
  /** The processes that are running, main process last. */
  readonly processes: readonly ProcessIdentity[];
  /** Notes a process in the stack's state at once, so that it is never forgotten, whatever happens next. */
  keep(process: ProcessIdentity): void;
  report(message: string): void;
}

/** The one interface of all services: resolve, install, start, health, stop, and how to talk to it. */
export interface Service {
  readonly name: ServiceName;
  readonly title: string;
  readonly needs: readonly ServiceName[];
  /** Names of the ports it listens on. */
  readonly ports: readonly string[];

  /** A usable program on this machine, or undefined when one has to be installed. */
  resolve(): Promise<Resolution | undefined>;

  /** The Docker image, with its tag, that serves as well; undefined where there is none. */
  readonly image?: string;

  /** What `install` lacks on this machine, as a sentence; undefined when it lacks nothing or the cache has the software. */
  lacks?(): string | undefined | Promise<string | undefined>;

  /**
   * Puts the software into the cache unless it is there.
   *
   * @throws Error saying what is missing on this machine
   */
  install(report: (message: string) => void): Promise<Resolution>;

  /** Passwords and keys, made once for a stack. */
  newSecrets(): Values;

  /**
   * Starts the service on its data and returns when it can be used.
   *
   * @throws Error ending with the last lines of its log
   */
  start(instance: Instance): Promise<void>;

  /** What `up` does for a service that runs already, such as new migrations. */
  refresh?(instance: Instance): Promise<void>;

  /** Asks once. @throws Error saying what is wrong */
  health(instance: Instance): Promise<void>;

  /** Ends the service's processes in its own orderly way; does nothing when there are none. */
  stop(instance: Instance): Promise<void>;

  /** What a client needs, of a service that the stack runs. */
  connection(instance: Pick<Instance, 'ports' | 'secrets' | 'resolution' | 'needs'>): Values;

  /**
   * The same, from what the user wrote in FERRY_STACK_<SERVICE>.
   *
   * @throws StackProblem naming the form that is expected
   */
  connectionFromAddress(address: string): Values;
}

/** One line that says which resolution a service took. */
export function describeResolution(resolution: Resolution): string {
  switch (resolution.kind) {
    case 'address':
      return 'at the address in its FERRY_STACK_ variable';
    case 'path':
      return `${resolution.version}, found on this machine: ${resolution.program}`;
    case 'docker':
      return `docker ${resolution.image}`;
    case 'registry':
      return `${resolution.version}, installed from ${resolution.registry} into the cache`;
    case 'own':
      return 'part of Vector Ferry';
  }
}

/** The program of a service that runs outside Docker. */
export function programOf({ resolution }: Pick<Instance, 'resolution'>): string {
  if (resolution.kind === 'docker') throw new Error(`${resolution.image} has no program on this machine`);
  return resolution.program;
}

/**
 * An address written as a URL, checked.
 *
 * @throws StackProblem naming the variable and the expected form
 */
export function parseAddress(
  service: ServiceName,
  address: string,
  protocols: readonly string[],
  form: string,
): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !protocols.includes(url.protocol) || url.hostname === '') {
    throw new StackProblem([`FERRY_STACK_${service.toUpperCase()} is not an address of the form ${form}`]);
  }
  return url;
}
