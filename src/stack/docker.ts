import { runCommand } from './command.ts';
import { dockerEnvironment, findProgram, serviceEnvironment, setting } from './environment.ts';
import { uninterrupted } from './interruption.ts';
import { StackProblem } from './problem.ts';
import { messageOf, spawnProcess } from './process.ts';
import type { ProcessIdentity } from './process-table.ts';
import type { Instance, Resolution, ServiceName } from './service.ts';

/**
 * Services as Docker containers. The tests run this against a stand-in for the `docker` program; it has not been run
 * against a real daemon.
 *
 * A container is run by a client that stays in the foreground: the client is the service's process, its output the
 * service's log, and signals to it reach the container. Only SIGKILL does not pass, and so everything that ends a service
 * removes its container by name as well. The name is in stack.json before there is a container.
 */
export type DockerResolution = Extract<Resolution, { kind: 'docker' }>;

/** How long a daemon may take to say that it is there. */
const answerMs = 3_000;
const removalMs = 30_000;
const label = 'vector-ferry.stack';

/** What of a service differs when it runs in a container. */
export interface Container {
  /** For each of the service's ports: where it listens inside. */
  ports: Readonly<Record<string, number>>;
  /** The folder inside that a volume keeps; without one nothing has to be kept. */
  dataDir?: string;
  /** Variables that anybody may read. */
  env?: Readonly<Record<string, string>>;
  /** Variables that must not stand on a command line. */
  secrets?: Readonly<Record<string, string>>;
  /** More options of `docker run`. */
  options?: readonly string[];
  /** Arguments for the image's own program. */
  args?: readonly string[];
}

let answer: Promise<boolean> | undefined;

/** True where a daemon on this machine answers; asked once in a process. */
export function dockerAnswers(): Promise<boolean> {
  return (answer ??= ask());
}

async function ask(): Promise<boolean> {
  if (findProgram('docker') === undefined) return false;
  try {
    // Containers of another machine would listen on its loopback address and not on ours.
    const host = await docker(['context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'], answerMs);
    if (!host.trim().startsWith('unix://')) return false;
    return (await docker(['version', '--format', '{{.Server.Os}}'], answerMs)).trim() === 'linux';
  } catch {
    return false;
  }
}

/**
 * Whether the user wants Docker: FERRY_STACK_DOCKER=0 excludes it.
 *
 * @throws StackProblem when the variable says something else than 0 or 1
 */
export function isDockerWanted(): boolean {
  const value = setting('FERRY_STACK_DOCKER') ?? '1';
  if (value === '0' || value === '1') return value === '1';
  throw new StackProblem([
    'FERRY_STACK_DOCKER: expected 0 (never use Docker) or 1 (use it where its daemon answers)',
  ]);
}

/** Where a service of a stack would run. */
export function dockerResolution(stackId: string, service: ServiceName, image: string): DockerResolution {
  const network = `ferry-${stackId.replaceAll('-', '').slice(0, 12)}`;
  return { kind: 'docker', image, container: `${network}-${service}`, network };
}

/** Pulls an image unless it is there, and says so. @throws Error naming the image */
export async function pullImage(image: string, report: (message: string) => void): Promise<void> {
  const isThere = await docker(['image', 'inspect', '--format', '{{.Id}}', image]).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  report(`pulling the Docker image ${image}`);
  await docker(['pull', '--quiet', image]).catch((error: unknown) => {
    throw new Error(
      `${messageOf(error)}\nWithout Docker (FERRY_STACK_DOCKER=0) the service is installed from a package registry.`,
      { cause: error },
    );
  });
}

/** Runs the container of a service, as `spawnProcess` runs a program; one that was left is removed first. */
export async function runContainer(instance: Instance, what: Container): Promise<ProcessIdentity> {
  const { image, container, network } = dockerOf(instance);
  await removeContainer(container);
  const labelled = ['--label', `${label}=${network}`];
  if (what.dataDir !== undefined) await docker(['volume', 'create', ...labelled, container]);
  const secrets = what.secrets ?? {};
  return spawnProcess(instance, {
    program: findProgram('docker') ?? 'docker',
    args: [
      ...['run', '--pull', 'never', '--name', container, ...labelled],
      ...Object.entries(what.ports).flatMap(([name, inside]) => [
        '--publish',
        `127.0.0.1:${instance.ports[name]}:${inside}`,
      ]),
      ...(what.dataDir === undefined ? [] : ['--volume', `${container}:${what.dataDir}`]),
      ...Object.entries(what.env ?? {}).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      // Without a value it is taken from the client's own environment, which others cannot read.
      ...Object.keys(secrets).flatMap((name) => ['--env', name]),
      ...(what.options ?? []),
      image,
      ...(what.args ?? []),
    ],
    env: { ...dockerEnvironment(), ...secrets },
  });
}

/** Runs a program inside the container of a service. */
export function execInContainer(
  instance: Instance,
  args: readonly string[],
  secrets: Record<string, string> = {},
): Promise<string> {
  const names = Object.keys(secrets).flatMap((name) => ['--env', name]);
  return docker(['exec', ...names, dockerOf(instance).container, ...args], undefined, secrets);
}

/** The network on which PostgREST finds PostgreSQL by its container's name. */
export async function ensureNetwork(instance: Instance): Promise<void> {
  const { network } = dockerOf(instance);
  const names = await docker(['network', 'ls', '--filter', `name=^${network}$`, '--format', '{{.Name}}']);
  if (names.trim() === '') await docker(['network', 'create', '--label', `${label}=${network}`, network]);
}

/** SIGKILLs a container and removes it; returns when it is gone. Does nothing when there is none. */
export async function removeContainer(container: string): Promise<void> {
  await remove(['rm', '--force', '--volumes', container], `the Docker container ${container}`);
}

/** Removes what a service keeps in Docker, also the network if nobody is on it any more. */
export async function removeData({ container, network }: DockerResolution): Promise<void> {
  await removeContainer(container);
  await remove(['volume', 'rm', '--force', container], `the Docker volume ${container}`);
  await remove(['network', 'rm', network], `the Docker network ${network}`);
}

async function remove(args: readonly string[], what: string): Promise<void> {
  await uninterrupted(() => docker(args, removalMs)).catch((error: unknown) => {
    if (
      /no such (?:container|volume|network)|network \S+ not found|has active endpoints/i.test(
        messageOf(error),
      )
    )
      return;
    throw new Error(
      `${what} could not be removed; see that Docker runs, then try again\n${messageOf(error)}`,
      {
        cause: error,
      },
    );
  });
}

function docker(
  args: readonly string[],
  timeoutMs?: number,
  extra: Record<string, string> = {},
): Promise<string> {
  const env = serviceEnvironment({ ...dockerEnvironment(), ...extra });
  return runCommand(findProgram('docker') ?? 'docker', args, { env, timeoutMs });
}

function dockerOf({ resolution }: Instance): DockerResolution {
  if (resolution.kind !== 'docker') throw new Error('this service does not run in Docker');
  return resolution;
}
