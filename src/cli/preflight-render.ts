import pc from 'picocolors';
import type { Check, CheckStatus, PreflightReport, SizeBucket } from '../job/inquiry.ts';
import { bytes, many, whole } from './quantities.ts';

const BAR_WIDTH = 40;

const SIGNS: Readonly<Record<CheckStatus, string>> = {
  ok: pc.green('✓'),
  warning: pc.yellow('!'),
  problem: pc.red('✗'),
};

/**
 * All checks by service, with what to do, the sizes of contents as a bar chart, and the sum; last what has to be mended,
 * because the check itself may have left the screen.
 */
export function preflightTable({ checks, sizes, sampled }: PreflightReport): string {
  const width = Math.max(...checks.map(({ id }) => nameOf(id).length));
  const services = [...Map.groupBy(checks, ({ id }) => serviceOf(id))].flatMap(([service, own]) => [
    pc.bold(service),
    ...own.flatMap((check, at) => checkLines(check, width, isAdviceRepeated(own, at))),
  ]);
  const chart = sampled === 0 ? [] : ['', ...sizeChart(sizes, sampled)];
  return [...services, ...chart, '', sumLine(checks), ...problemLine(checks)].join('\n');
}

/** `2 problems: source.columns, target.schema; mend these first.` */
function problemLine(checks: readonly Check[]): string[] {
  const problems = checks.filter(({ status }) => status === 'problem');
  if (problems.length === 0) return [];
  const ids = [...new Set(problems.map(({ id }) => id))].join(', ');
  const these = problems.length === 1 ? 'this' : 'these';
  return [pc.red(`${many(problems.length, 'problem')}: ${ids}; mend ${these} first.`)];
}

/** Only what is not fine, a line each: what a command says that looks before it starts. */
export function findingLines(checks: readonly Check[]): string[] {
  return checks
    .filter(({ status }) => status !== 'ok')
    .map(({ id, status, message, advice }, at, own) =>
      `${SIGNS[status]} ${id}: ${message} ${isAdviceRepeated(own, at) ? '' : (advice ?? '')}`.trimEnd(),
    );
}

/** `31 checks: 30 fine, 1 warning, 0 problems` */
export function sumLine(checks: readonly Check[]): string {
  const count = (status: CheckStatus): number => checks.filter((check) => check.status === status).length;
  const [warnings, problems] = [count('warning'), count('problem')];
  const parts = [
    `${count('ok')} fine`,
    warnings === 0 ? '0 warnings' : pc.yellow(many(warnings, 'warning')),
    problems === 0 ? '0 problems' : pc.red(many(problems, 'problem')),
  ];
  return `${many(checks.length, 'check')}: ${parts.join(', ')}`;
}

/** Whether the next check is of the same kind and has the same advice, which is then said once, after the last. */
function isAdviceRepeated(checks: readonly Check[], at: number): boolean {
  const [own, next] = [checks[at], checks[at + 1]];
  return own !== undefined && own.id === next?.id && own.advice === next.advice;
}

function checkLines({ id, status, message, advice }: Check, width: number, isRepeated: boolean): string[] {
  const line = `  ${SIGNS[status]} ${nameOf(id).padEnd(width)}  ${message}`;
  return advice === null || isRepeated
    ? [line]
    : [line, `${' '.repeat(width + 6)}${pc.cyan(`-> ${advice}`)}`];
}

function sizeChart(sizes: readonly SizeBucket[], sampled: number): string[] {
  const most = Math.max(...sizes.map(({ records }) => records));
  const labels = sizes.map(({ fromBytes }) =>
    fromBytes === 0 ? 'empty' : `${bytes(fromBytes)} to ${bytes(2 * fromBytes)}`,
  );
  const labelWidth = Math.max(...labels.map(({ length }) => length));
  const countWidth = Math.max(...sizes.map(({ records }) => whole(records).length));
  return [
    pc.bold(`sizes of ${many(sampled, 'content')}`),
    ...sizes.map(({ records }, at) => {
      const bar = '#'.repeat(Math.max(1, Math.round((records / most) * BAR_WIDTH)));
      return `  ${(labels[at] ?? '').padStart(labelWidth)}  ${whole(records).padStart(countWidth)}  ${bar}`;
    }),
  ];
}

function serviceOf(id: string): string {
  return id.split('.')[0] ?? id;
}

function nameOf(id: string): string {
  return id.slice(serviceOf(id).length + 1);
}
