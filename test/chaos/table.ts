/**
 * The table of docs/reliability.md, from the reports of one or several invocations of `npm run chaos -- --json FILE`:
 *
 *     node test/chaos/table.ts a.jsonl b.jsonl
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DRAWS } from './fault-draws.ts';
import { killsThatHit, paidAgain, type RoundReport } from './round-report.ts';

/** Reads reports, one line of JSON each. @throws Error naming the file and the line that is none */
export function readReports(path: string): RoundReport[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (line.trim() === '') return [];
    try {
      return [JSON.parse(line) as RoundReport];
    } catch {
      throw new Error(`${path}:${index + 1} is no report of a round`);
    }
  });
}

interface Row {
  readonly rounds: readonly RoundReport[];
  readonly injected: number;
  readonly hit: number;
}

/** Markdown: a line for each kind of fault, one for all, and the seeds. */
export function table(reports: readonly RoundReport[]): string {
  const kinds = new Set([
    ...Object.keys(DRAWS),
    ...reports.flatMap(({ faults }) => faults.map(({ kind }) => kind)),
  ]);
  const rows = [...kinds].map((kind): [string, Row] => {
    const rounds = reports.filter(({ faults }) => faults.some((fault) => fault.kind === kind));
    const played = rounds.flatMap(({ faults }) => faults.filter((fault) => fault.kind === kind));
    return [kind, { rounds, injected: played.length, hit: played.filter(({ hit }) => hit).length }];
  });
  const all = reports.flatMap(({ faults }) => faults);
  rows.push(['**all**', { rounds: reports, injected: all.length, hit: all.filter(({ hit }) => hit).length }]);
  const kills = reports.reduce((sum, report) => sum + killsThatHit(report), 0);
  const bad = reports.filter(({ findings }) => findings.length > 0).map(({ scenario }) => scenario.seed);
  return [
    '| fault | injected | met work | rounds | lost | doubled | wrong | inputs paid again | cap |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---:|',
    ...rows.map(([kind, row]) =>
      row.injected === 0 ? `| ${kind} | not run |  |  |  |  |  |  |  |` : line(kind, row),
    ),
    '',
    `${reports.length} rounds, ${kills} kills that met work, ${bad.length} rounds with a finding` +
      `${bad.length === 0 ? '' : ` (seeds ${bad.join(', ')})`}.`,
    `Seeds: ${ranges(reports.map(({ scenario }) => scenario.seed))}.`,
  ].join('\n');
}

/** A round counts in the line of every kind of fault that was played in it. */
function line(kind: string, { rounds, injected, hit }: Row): string {
  const sum = (of: (report: RoundReport) => number): number =>
    rounds.reduce((total, report) => total + of(report), 0);
  const cells = [
    kind,
    injected,
    hit,
    rounds.length,
    sum(({ audit }) => audit?.missing.count ?? 0),
    sum(({ audit }) => audit?.extra.count ?? 0),
    sum(({ audit }) => audit?.wrong.count ?? 0),
    sum((report) => paidAgain(report).beyond),
    sum((report) => paidAgain(report).cap),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** `1–3, 7`: numbers in order, those that follow each other together. */
export function ranges(numbers: readonly number[]): string {
  const sorted = [...new Set(numbers)].sort((a, b) => a - b);
  const found: [first: number, last: number][] = [];
  for (const number of sorted) {
    const open = found.at(-1);
    if (open?.[1] === number - 1) open[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? String(first) : `${first}–${last}`)).join(', ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = process.argv.slice(2);
  if (files.length === 0) {
    console.error('usage: node test/chaos/table.ts FILE..., each made by `npm run chaos -- --json FILE`');
    process.exitCode = 2;
  } else console.log(table(files.flatMap(readReports)));
}
