import { isAlive } from '../stack/process-table.ts';
import type { ServiceName } from '../stack/service.ts';
import type { StackState } from '../stack/state.ts';

/** What nobody should conclude from searches on the stack. */
export const IMITATION =
  "The stack's embeddings are an offline imitation (feature hashing: words count, meaning does not),\nso search by meaning is for trying out only.";

/** What to do with a stack that is up, by the services that it has. @param dir as `--dir` named it */
export function nextSteps(names: readonly ServiceName[], dir: string | undefined): string {
  const has = (name: ServiceName): boolean => names.includes(name);
  const where = dir === undefined ? '' : ` --dir ${dir}`;
  const commands = has('temporal') && !has('mariadb') ? 'ferry worker' : 'ferry run, or ferry worker';
  const steps: readonly (readonly [string, string])[] = [
    [
      `eval "$(ferry stack env${where})"`,
      has('mariadb')
        ? 'host, user, password and database for your table, and all other settings'
        : 'the settings of these services',
    ],
    [commands, has('mariadb') ? 'once the table is there (MYSQL_TABLE names it)' : 'with your own services'],
    [`ferry stack down${where}`, 'ends it; its data is kept'],
  ];
  const width = Math.max(...steps.map(([command]) => command.length));
  const lines = steps.map(([command, what]) => `  ${command.padEnd(width)}  ${what}`);
  return ['', 'Next:', ...lines, ...(has('embeddings') ? ['', IMITATION] : [])].join('\n');
}

/** A sentence for whoever takes the settings of services that nothing answers for; null if all of them run. */
export function stoppedWarning({ services }: Pick<StackState, 'services'>): string | null {
  const own = Object.entries(services).filter(([, { resolution }]) => resolution.kind !== 'address');
  const stopped = own.filter(([, { processes }]) => !processes.some(isAlive)).map(([name]) => name);
  if (stopped.length === 0) return null;
  const which =
    stopped.length === own.length
      ? 'The stack does not run'
      : `Of the stack ${stopped.join(', ')} does not run`;
  return `${which}; \`ferry stack up\` starts it.`;
}
