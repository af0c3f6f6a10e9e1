import { existsSync } from 'node:fs';
import { dockerAnswers, dockerResolution, pullImage, type DockerResolution } from './docker.ts';
import type { Report } from './instance.ts';
import { StackProblem } from './problem.ts';
import type { Resolution, Service, ServiceName } from './service.ts';
import { services } from './services.ts';
import type { StackState } from './state.ts';

/**
 * Finds the software of a service, or installs it. A stack stays with the software that made its data, as long as that is
 * there.
 *
 * @param docker whether Docker may be used
 * @throws Error saying what is missing on this machine
 */
export async function resolveOrInstall(
  state: StackState,
  service: Service,
  docker: boolean,
  report: Report,
): Promise<Resolution> {
  const found = await resolve(state, service, docker);
  if (found?.kind === 'docker') await pullImage(found.image, report);
  return found ?? service.install(report);
}

/**
 * What the services would lack on this machine, one sentence each, asked before the first of them is installed: that may
 * take minutes.
 */
export async function lacking(
  state: StackState,
  names: readonly ServiceName[],
  docker: boolean,
): Promise<string[]> {
  const sentences = names.map(async (name) => {
    const service = services[name];
    const found = await resolve(state, service, docker);
    const lack = found === undefined ? await service.lacks?.() : undefined;
    return lack === undefined ? [] : [`${service.title}: ${lack}`];
  });
  return (await Promise.all(sentences)).flat();
}

/** What need not be installed. */
async function resolve(
  state: StackState,
  service: Service,
  docker: boolean,
): Promise<Resolution | undefined> {
  const previous = state.services[service.name]?.resolution;
  if (previous?.kind === 'docker') return await stillInDocker(service.title, previous, docker);
  if (previous?.kind === 'path' && existsSync(previous.program)) return previous;
  if (previous?.kind === 'registry') return undefined;
  const found = await service.resolve();
  if (found !== undefined || !docker) return found;
  // A program that is gone has left its data here, where no container looks for it.
  const isNew = previous === undefined || previous.kind === 'address';
  return isNew ? await inDocker(state, service) : undefined;
}

async function inDocker(state: StackState, service: Service): Promise<DockerResolution | undefined> {
  if (service.image === undefined || !(await dockerAnswers())) return undefined;
  for (const need of service.needs) {
    // From inside, the server of a need is reached by its container's name and in no other way.
    const known = state.services[need]?.resolution ?? (await resolve(state, services[need], true));
    if (known?.kind !== 'docker') return undefined;
  }
  return dockerResolution(state.id, service.name, service.image);
}

async function stillInDocker(
  title: string,
  previous: DockerResolution,
  docker: boolean,
): Promise<DockerResolution> {
  if (docker && (await dockerAnswers())) return previous;
  const reason = docker
    ? 'the Docker daemon does not answer; start Docker'
    : 'Docker is excluded here; allow it (FERRY_STACK_DOCKER=1)';
  throw new StackProblem([
    `${title}: its data is in the Docker volume ${previous.container}, and ${reason}, or choose another folder with ` +
      'FERRY_STACK_DIR for a stack without it',
  ]);
}
