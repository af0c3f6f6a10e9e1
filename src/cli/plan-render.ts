import type { PlanReport } from '../job/inquiry.ts';
import type { JobSpecification } from '../job/specification.ts';
import { storageNeed } from '../inquiry/estimate-storage.ts';
import { formatDuration } from './eta.ts';
import { bytes, dollars, rough, whole } from './quantities.ts';

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
      `${whole(size.records)} in ${whole(size.batches)} batches of ${whole(specification.batchSize)}, ${whole(size.partitions)} partitions; ${about}${number(skipped)} without content, ${number(refused)} refused`,
    ],
    ...differenceRows(report, specification),
    ['points', `${about}${number(parents)} parents and ${number(children)} children when the job is done`],
    ['embed', `${about}${number(inputs)} texts, ${number(tokens)} tokens`],
    [
      'cost',
      report.costUsd === null
        ? 'unknown: set OPENAI_USD_PER_MILLION_TOKENS to the price of the model'
        : `about ${dollars(report.costUsd)}`,
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

function basis({ isExact, sampled, size }: PlanReport): string {
  if (isExact) return `every record was read and compared with the target`;
  const records =
    sampled >= size.records ? `all ${whole(sampled)} records` : `estimated from ${whole(sampled)} records`;
  return `${records}, as if the target were empty; --exact compares`;
}

function differenceRows({ difference }: PlanReport, { prune }: JobSpecification): [string, string][] {
  if (difference === null) return [];
  const { changed, unchanged, pointsWritten, pointsDeleted, orphans } = difference;
  const kept = prune || orphans === 0 ? '' : ', kept without --prune';
  return [
    ['difference', `${whole(changed)} records to write, ${whole(unchanged)} need nothing`],
    ['changes', `${whole(pointsWritten)} points written, ${whole(pointsDeleted)} deleted`],
    ['orphans', `${whole(orphans)} record ids have points but no row${kept}`],
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
    return 'unknown until the embedding service has answered once; OPENAI_RPM and OPENAI_TPM set it';
  }
  const { requestsPerMinute, tokensPerMinute, requests, seconds } = known;
  const limits = [
    ...(requestsPerMinute === null ? [] : [`${whole(requestsPerMinute)} requests`]),
    ...(tokensPerMinute === null ? [] : [`${whole(tokensPerMinute)} tokens`]),
  ];
  return `${rough(requests)} requests; at ${limits.join(' and ')} a minute at least ${formatDuration(seconds)}`;
}
