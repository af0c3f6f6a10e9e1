import type { PlanReport } from '../job/inquiry.ts';
import type { JobSpecification } from '../job/specification.ts';
import { storageNeed } from '../inquiry/estimate-storage.ts';
import { formatDuration } from './eta.ts';
import { bytes, dollars, many, rough, whole } from './quantities.ts';

/** What a job would do and cost, a line a question. */
export function planText(name: string, report: PlanReport, specification: JobSpecification): string {
  const { size, skipped, refused, parents, children, inputs, tokens } = report;
  const isCounted = report.isExact || report.sampled >= size.records;
  const number = isCounted ? whole : rough;
  const about = isCounted ? '' : 'about ';
  const rows: [string, string][] = [
    ['basis', basis(report)],
    [
      'records',
      `${whole(size.records)} in ${many(size.batches, 'batch', 'batches')} of ${whole(specification.batchSize)}, ${many(size.partitions, 'partition')}; ${about}${number(skipped)} without content, ${number(refused)} refused`,
    ],
    ...differenceRows(report, specification),
    [
      'points',
      `${about}${number(parents)} ${parents === 1 ? 'parent' : 'parents'} and ${number(children)} ${children === 1 ? 'child' : 'children'} when the job is done`,
    ],
    ['embed', embedding(inputs, tokens, number, about)],
    [
      'cost',
      report.costUsd === null
        ? 'unknown: set OPENAI_USD_PER_MILLION_TOKENS to the price of the model'
        : `${report.costUsd === 0 ? '' : 'at most about '}${dollars(report.costUsd)}`,
    ],
    ['storage', storage(report, specification)],
    ['pace', pace(report)],
    [
      'batch size',
      `${whole(report.recommendedBatchSize)} recommended (BATCH_SIZE): so many records fill about one embedding request`,
    ],
  ];
  return [`plan of ${name}`, ...rows.map(([label, text]) => `  ${label.padEnd(10)}  ${text}`)].join('\n');
}

function basis({ isExact, sampled, size, ownPoints }: PlanReport): string {
  if (isExact) return `every record was read and compared with the target`;
  const records =
    sampled >= size.records ? `all ${many(sampled, 'record')}` : `estimated from ${many(sampled, 'record')}`;
  // Of a worker that is older than the field, or where Qdrant does not answer, nobody knows.
  const holds = ownPoints ?? 0;
  return holds === 0
    ? `${records}, as if the target were empty; --exact compares`
    : `${records}, as if the target were empty, which it is not: it holds ${many(holds, 'point')} of this table. So costs are "at most": what is finished costs nothing, and --exact counts what is left`;
}

/** No count of texts takes those away that are equal and so embedded once. */
function embedding(inputs: number, tokens: number, number: (value: number) => string, about: string): string {
  if (inputs === 0) return 'nothing';
  const texts = `${number(inputs)} ${inputs === 1 ? 'text' : 'texts'}`;
  const counted = `${number(tokens)} ${tokens === 1 ? 'token' : 'tokens'}`;
  return `at most ${about}${texts}, ${counted}; equal texts of a request are embedded once`;
}

function differenceRows({ difference }: PlanReport, { prune }: JobSpecification): [string, string][] {
  if (difference === null) return [];
  const { changed, unchanged, pointsWritten, pointsDeleted, orphans } = difference;
  const kept = prune || orphans === 0 ? '' : ', kept without --prune';
  return [
    [
      'difference',
      `${many(changed, 'record')} to write, ${whole(unchanged)} ${unchanged === 1 ? 'needs' : 'need'} nothing`,
    ],
    ['changes', `${many(pointsWritten, 'point')} written, ${whole(pointsDeleted)} deleted`],
    ['orphans', `${many(orphans, 'record id')} ${orphans === 1 ? 'has' : 'have'} points but no row${kept}`],
  ];
}

/** With both ways to keep vectors, because the choice is made once, when the collection is created. */
function storage(
  { storage: { diskBytes, memoryBytes }, ...report }: PlanReport,
  { collection }: JobSpecification,
): string {
  const { binaryQuantization, dimensions } = collection;
  const vectors = { parents: report.parents, children: report.children, tokens: 0, textBytes: 0 };
  const need = (quantized: boolean): number =>
    storageNeed(vectors, { dimensions, binaryQuantization: quantized }).memoryBytes;
  const other = memoryBytes + need(!binaryQuantization) - need(binaryQuantization);
  const how = `${bytes(other)} with QDRANT_BINARY_QUANTIZATION=${!binaryQuantization}`;
  return `about ${bytes(diskBytes)} of disk, and for searches at full speed ${bytes(memoryBytes)} of memory (${how})`;
}

function pace({ pace: known }: PlanReport): string {
  if (known === null) {
    return "no time: neither OPENAI_RPM and OPENAI_TPM nor the service's headers give a limit";
  }
  const { requestsPerMinute, tokensPerMinute, requests, seconds } = known;
  const limits = [
    ...(requestsPerMinute === null ? [] : [many(requestsPerMinute, 'request')]),
    ...(tokensPerMinute === null ? [] : [many(tokensPerMinute, 'token')]),
  ];
  return `${rough(requests)} ${requests === 1 ? 'request' : 'requests'}; at ${limits.join(' and ')} a minute at least ${formatDuration(seconds)}`;
}
