import { instanceOf, isHealthy } from './instance.ts';
import { portProblem } from './ports.ts';
import { StackProblem } from './problem.ts';
import { isAlive } from './process-table.ts';
import { serviceNames, type Instance, type Service, type ServiceName } from './service.ts';
import { services } from './services.ts';
import type { StackState } from './state.ts';

/** Ports asked for: `mariadb` is the first port of that service, `temporal.ui` one by its name. */
export type WantedPorts = Readonly<Record<string, number>>;

/** The port that was asked for, and how. */
export function wantedPort(
  service: Service,
  port: string,
  wanted: WantedPorts,
): { port: number; asked: string } | undefined {
  const names = [`${service.name}.${port}`, ...(port === service.ports[0] ? [service.name] : [])];
  const name = names.find((candidate) => wanted[candidate] !== undefined);
  const asked = name === undefined ? undefined : wanted[name];
  return asked === undefined ? undefined : { port: asked, asked: `--port ${name}=${asked}` };
}

/**
 * Looks at every port that was asked for before anything begins, so that nothing is started in vain.
 *
 * @param brought the services that are brought up and have no address elsewhere
 * @throws StackProblem with one sentence for each port that cannot be had
 */
export async function checkWantedPorts(
  state: StackState | undefined,
  brought: readonly ServiceName[],
  wanted: WantedPorts,
): Promise<void> {
  const problems = [...unknownPorts(wanted), ...uselessPorts(brought, wanted), ...repeatedPorts(wanted)];
  if (problems.length > 0) throw new StackProblem(problems);
  for (const name of brought) {
    const service = services[name];
    const running = state && instanceOf(state, name, () => undefined);
    if (running !== undefined && (await isHealthy(service, running))) {
      problems.push(...otherPorts(service, running, wanted));
      continue;
    }
    // What is left of the service itself, a container without its client included, is ended before it starts again.
    const isLeft = running?.resolution.kind === 'docker' || running?.processes.some(isAlive) === true;
    const own = running !== undefined && isLeft ? Object.values(running.ports) : [];
    for (const port of service.ports) {
      const ask = wantedPort(service, port, wanted);
      const problem = ask && !own.includes(ask.port) ? await portProblem(ask.port) : undefined;
      if (ask === undefined || problem === undefined) continue;
      problems.push(
        `${service.title}: port ${ask.port}, asked for with ${ask.asked}, ${problem}; free it, ask for another one, or ` +
          'leave the choice to the stack',
      );
    }
  }
  if (problems.length > 0) throw new StackProblem(problems);
}

/** Where a running service listens elsewhere than asked. */
function otherPorts(service: Service, running: Instance, wanted: WantedPorts): string[] {
  return service.ports.flatMap((name) => {
    const ask = wantedPort(service, name, wanted);
    if (ask === undefined || ask.port === running.ports[name]) return [];
    return [
      `${service.title}: it runs at port ${running.ports[name]}, not at the one asked for with ${ask.asked}; take the ` +
        'stack down first (`ferry stack down`), or leave the option out',
    ];
  });
}

function unknownPorts(wanted: WantedPorts): string[] {
  const known = serviceNames.flatMap((name) => [
    name,
    ...services[name].ports.map((port) => `${name}.${port}`),
  ]);
  const unknown = Object.keys(wanted).filter((name) => !known.includes(name));
  return unknown.length === 0 ? [] : [`unknown ports: ${unknown.join(', ')}; known: ${known.join(', ')}`];
}

function uselessPorts(brought: readonly ServiceName[], wanted: WantedPorts): string[] {
  return Object.entries(wanted)
    .filter(([name]) => !brought.some((service) => name === service || name.startsWith(`${service}.`)))
    .map(
      ([name, port]) => `--port ${name}=${port}: the stack does not bring up that service here; leave it out`,
    );
}

function repeatedPorts(wanted: WantedPorts): string[] {
  const numbers = Object.values(wanted);
  const repeated = new Set(numbers.filter((port, index) => numbers.indexOf(port) !== index));
  return [...repeated].map((port) => {
    const names = Object.keys(wanted).filter((name) => wanted[name] === port);
    return `--port: ${names.join(' and ')} are given the same port ${port}; give each its own`;
  });
}
