import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { InputError } from './errors.ts';

/** Parts of the settings in the order of .env.example, by the beginning of their names. */
const GROUPS: readonly { readonly title: string; readonly names: RegExp }[] = [
  { title: 'Source (MySQL or MariaDB)', names: /^(?:MYSQL|SOURCE)_/u },
  { title: 'Target (Qdrant)', names: /^(?:QDRANT|BM25)_/u },
  { title: 'Embedding service (OpenAI or compatible)', names: /^OPENAI_/u },
  { title: 'Ledger (Supabase)', names: /^SUPABASE_/u },
  { title: 'Temporal', names: /^TEMPORAL_/u },
  { title: 'Jobs and workers', names: /^/u },
];

/** More than this many problems are easier to read in groups. */
const UNGROUPED = 3;

/** Settings that are missing or malformed. What a command prints of it says also where settings come from. */
export class SettingsError extends InputError {
  override get report(): string {
    const lines = this.problems.length > UNGROUPED ? grouped(this.problems) : this.problems;
    const after = advice(this.problems);
    return [...lines, ...(after.length > 0 ? ['', ...after] : [])].join('\n');
  }
}

/** The result, or its problems as a value, so that those of several parts are reported at once. */
export function collect<T>(read: () => T): T | InputError {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

/** Makes every check. @throws SettingsError with the problems of all of them, each once */
export function checkAll(checks: readonly (() => unknown)[]): void {
  const found = checks
    .map(collect)
    .flatMap((result) => (result instanceof InputError ? result.problems : []));
  if (found.length > 0) throw new SettingsError([...new Set(found)]);
}

/** Whether one of these checks finds a setting missing, not only malformed. */
export function lacksSettings(checks: readonly (() => unknown)[]): boolean {
  return checks
    .map(collect)
    .some((result) => result instanceof InputError && result.problems.some(isMissing));
}

function isMissing(problem: string): boolean {
  return problem.includes(': is not set; ');
}

function grouped(problems: readonly string[]): string[] {
  const byTitle = Map.groupBy(problems, (problem) => GROUPS.find(({ names }) => names.test(problem))?.title);
  const lines = GROUPS.flatMap(({ title }) => {
    const own = byTitle.get(title) ?? [];
    return own.length === 0 ? [] : ['', title, ...own.map((problem) => `  ${problem}`)];
  });
  return [`${problems.length} settings are missing or malformed:`, ...lines];
}

/** For what is missing; a malformed value explains itself. */
function advice(problems: readonly string[]): string[] {
  if (!problems.some(isMissing)) return [];
  const file = resolve('.env');
  if (existsSync(file)) {
    return [
      `Settings are read from the environment and from ${file}; docs/configuration.md describes all of them.`,
    ];
  }
  return [
    'Settings are read from the environment and from a file .env in the current folder, where there is none.',
    'To begin, copy .env.example to .env and fill it in; docs/configuration.md describes all of them.',
    'To try it without servers of your own: `ferry stack up`, then the same command with --stack.',
  ];
}
