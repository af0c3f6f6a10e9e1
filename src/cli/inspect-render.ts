import pc from 'picocolors';
import type { RecordPlace } from '../client/locate.ts';
import { FAULTS, isFaultCode } from '../errors.ts';
import type { InspectedPoint, InspectReport } from '../job/inquiry.ts';
import type { LedgerFailure } from '../ledger/ledger.ts';
import { aligned, excerpt } from './terminal-width.ts';
import { many, whole } from './quantities.ts';

/** What is known of a record's way besides its row and its points. */
export interface Located {
  /** Of the job. */
  readonly name: string;
  /** In the job's latest run; null if Temporal has none, or does not answer. */
  readonly place: RecordPlace | null;
  /** Address in the Temporal UI: of the batch, or of the job while that has not begun. */
  readonly link: string | null;
  /** Why Temporal was not asked; null if it was. */
  readonly problem: string | null;
  /** From the ledger, where Temporal does not say how the batch ended. */
  readonly lastFailure: LedgerFailure | null;
}

/** One record, several lines. */
export function inspection(report: InspectReport, located: Located): string {
  return [
    `record ${report.recordId}: ${stateSentence(report)}`,
    ...rowLines(report),
    ...pointLines(report),
    ...placeLines(located),
  ].join('\n');
}

function stateSentence({ state, row, collection }: InspectReport): string {
  const name = pc.bold(state);
  if (row !== null && row.refused !== null)
    return `${name}; its content is refused: ${explained(row.refused)}`;
  if (collection === null && state !== 'absent') return `${name}; there is no collection yet`;
  return `${name}${SENTENCES[state]}`;
}

const SENTENCES: Readonly<Record<InspectReport['state'], string>> = {
  exact: '',
  outdated: '; the next run writes it again',
  missing: '; the next run writes it',
  absent: '; it has no points, and none are expected',
  orphaned: '; it has points but no row; a run with --prune deletes them',
  filtered: '; its row does not meet MYSQL_FILTER; its points are kept',
};

function rowLines({ row, existsUnfiltered }: InspectReport): string[] {
  if (row === null) {
    return [existsUnfiltered ? '  row       left out by MYSQL_FILTER' : '  row       none with this id'];
  }
  const size = row.contentBytes === null ? 'no content' : `${many(row.contentBytes, 'byte')} of content`;
  const copied = Object.entries(row.copied).map(
    ([column, value]) => `${column} ${excerpt(JSON.stringify(value), 60)}`,
  );
  return [
    `  row       ${row.tenant === null ? 'no tenant' : `tenant ${excerpt(row.tenant, 60)}`}, ${size}`,
    ...(copied.length === 0 ? [] : [`  copied    ${copied.join(', ')}`]),
    ...(row.refused === null
      ? [
          `  expected  ${many(row.parents, 'parent')}, ${many(row.children, 'child', 'children')}, ${many(row.tokens, 'token')}`,
        ]
      : []),
    ...(row.checksum === null ? [] : [`  checksum  ${row.checksum}`]),
  ];
}

function pointLines({ points, pointCount, collection }: InspectReport): string[] {
  if (collection === null || pointCount === 0) return [];
  const rows = points.map((point) => [
    point.type,
    point.parentIndex,
    point.chunkIndex ?? '-',
    vectorsOf(point),
    point.isCurrent ? 'yes' : point.checksum === null ? 'no, interrupted' : 'no',
    point.isIntact ? 'yes' : 'no',
    point.characters,
    point.id,
  ]);
  const header = ['', 'parent', 'child', 'vectors', 'current', 'intact', 'characters', 'point'];
  const [title = '', ...lines] = aligned([header, ...rows]);
  return [
    `  points    ${whole(pointCount)} in ${collection}`,
    `    ${pc.dim(title)}`,
    ...lines.flatMap((line, at) => {
      const text = points[at]?.text;
      return [`    ${line}`, ...(text == null ? [] : [quoted(text)])];
    }),
    ...(pointCount > points.length ? [`    … and ${whole(pointCount - points.length)} more`] : []),
  ];
}

function vectorsOf({ type, hasDense, hasSparse }: InspectedPoint): string {
  const has = [...(hasDense ? ['dense'] : []), ...(hasSparse ? ['sparse'] : [])].join(' ');
  return has === '' && type === 'child' ? 'none' : has;
}

function placeLines({ name, place, link, problem, lastFailure }: Located): string[] {
  const failure =
    lastFailure === null
      ? []
      : [
          `  ledger    failed in batch ${lastFailure.batch} at ${lastFailure.at}: ${lastFailure.code}, ${lastFailure.message}`,
        ];
  if (problem !== null) return [`  Temporal  ${problem}`, ...failure];
  if (place === null) return [`  Temporal  has no run of ${name}`, ...failure];
  const shown = place.batch?.runId == null ? place.workflowId : place.batch.workflowId;
  return [
    `  run       ${place.workflowId}, ${place.status}, started ${place.startedAt}`,
    `  batch     ${batchSentence(place)}`,
    ...failure,
    `  see       ${link ?? `temporal workflow show --workflow-id ${shown}`}`,
  ];
}

function batchSentence({ plan, batch }: RecordPlace): string {
  if (plan === 'next_run') return 'beyond the plan of this run: it belongs to the next run';
  if (plan === 'unplanned') return 'not planned yet';
  if (plan === 'forgotten' || batch === null) return 'removed from Temporal';
  const { workflowId, status, code } = batch;
  if (status === 'halted') return `${workflowId}, halted: ${explained(code ?? 'unexpected')}`;
  if (status === 'pending') return `${workflowId}, not begun yet`;
  if (status === 'not_found') return `${workflowId}, not run, or removed from Temporal`;
  if (status !== 'completed') return `${workflowId}, ${status}`;
  return code === null
    ? `${workflowId}, completed`
    : pc.red(`${workflowId}, this record failed: ${explained(code)}`);
}

function explained(code: string): string {
  return isFaultCode(code) ? `${code}, ${FAULTS[code].message}` : code;
}

/** Every line of a text below its point; characters that would steer the terminal are left out. */
function quoted(text: string): string {
  return text
    .split('\n')
    .map((line) => pc.dim(`      │ ${line.replace(/\p{Cc}/gu, ' ')}`))
    .join('\n');
}
