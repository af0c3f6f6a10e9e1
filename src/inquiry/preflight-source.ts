import type { Check } from '../job/inquiry.ts';
import type { JobSpecification } from '../job/specification.ts';
import { BELOW_ALL_IDS, LARGEST_ID } from '../planning/plan.ts';
import type { Attempt } from '../reconcile/patience.ts';
import type { Source, SourceExamination } from '../source/source.ts';
import type { StoredPoints } from './estimate-storage.ts';
import { estimate } from './estimate.ts';
import { sampleContents } from './sample-contents.ts';
import { sampleSizes, strataOfIds, type SampledSize } from './sample-sizes.ts';
import { LARGEST_CONTENT_BYTES, sizeBuckets } from './sizes.ts';
import { look, ok, problem, warning, type Failure } from './preflight-check.ts';
import { idChecks } from './preflight-ids.ts';
import { columnChecks } from './preflight-table.ts';

/** The adapter gives up each of its slow questions itself. */
const EXAMINE_LIMIT_MS = 45_000;
const SAMPLE_LIMIT_MS = 20_000;
const STRATA = 200;
const SIZES_PER_STRATUM = 100;
/** Enough to say how much space the points need, to a tenth or two. */
const CONTENTS = { records: 200, bytes: 8 * 1024 * 1024 };
/** Where MYSQL_ROWS_PER_SECOND is low, as many as may be read in so many seconds; a sample reads up to twice as many. */
const PACED_SECONDS = 7;

/** What was found in the source. */
export interface SourceFindings {
  readonly checks: readonly Check[];
  /** One entry a record that was looked at. */
  readonly sizes: readonly SampledSize[];
  /** What the job's points come to; null if nobody knows. */
  readonly need: StoredPoints | null;
}

/** Looks at server, table and ids, and at the sizes of a sample of contents if a job could read them. */
export async function lookAtSource(
  source: Source,
  specification: JobSpecification,
  attempt: Attempt,
): Promise<SourceFindings> {
  const { table } = specification;
  const answer = await look(attempt, EXAMINE_LIMIT_MS, (signal) => source.examine(table, signal));
  if ('failure' in answer) return { checks: [failed(answer.failure)], sizes: [], need: null };
  const examined = answer.found;
  const checks = [
    ...serverChecks(examined),
    ok(
      'source.table',
      `${examined.relation === 'view' ? 'View' : 'Table'} ${table.database}.${table.table} can be read.`,
    ),
    ...(table.filter === null ? [] : [ok('source.filter', 'The server takes MYSQL_FILTER.')]),
    ...columnChecks(table, examined),
    ...idChecks(table.idColumn, examined),
  ];
  // What a job could not read cannot be sampled either.
  const isReadable = checks.every(({ status }) => status !== 'problem');
  if (!isReadable || examined.rows === 0) return { checks, sizes: [], need: null };
  const sampled = await look(attempt, SAMPLE_LIMIT_MS, (signal) =>
    sample(source, specification, examined, signal),
  );
  return 'failure' in sampled
    ? { checks: [...checks, notSampled(sampled.failure, examined)], sizes: [], need: null }
    : { checks: [...checks, ...sizeChecks(sampled.found.sizes, examined.rows)], ...sampled.found };
}

function serverChecks({ server, isSupported, isEncrypted, isLocal, canWrite }: SourceExamination): Check[] {
  return [
    isSupported
      ? ok('source.server', `${server} answers.`)
      : problem(
          'source.server',
          `${server} is not supported.`,
          'Use MySQL 8.0 or MariaDB 10.5, or a newer one.',
        ),
    isEncrypted || isLocal
      ? ok(
          'source.tls',
          isEncrypted
            ? 'The connection is encrypted.'
            : 'The connection is not encrypted, and does not leave the machine.',
        )
      : warning(
          'source.tls',
          'The connection is not encrypted: others on the way can read the rows.',
          'Set MYSQL_TLS=verify, unless nobody else can listen between the worker and MYSQL_HOST.',
        ),
    canWrite === true && !isLocal
      ? warning(
          'source.permissions',
          'The account may write; nothing is ever written to the source.',
          'A read-only account suffices: GRANT SELECT on the table, and name it in MYSQL_USER.',
        )
      : ok('source.permissions', readingSentence(canWrite)),
  ];
}

/** A database on one's own machine, such as the local stack's, has one account as a rule. */
function readingSentence(canWrite: boolean | null): string {
  if (canWrite === null) return 'The account may read.';
  return canWrite
    ? 'The account may write too, which is fine on this machine; nothing is ever written to the source.'
    : 'The account may read and not write.';
}

async function sample(
  source: Source,
  { table, limit, chunking }: JobSpecification,
  { smallestId, largestId, rows, rowsPerSecond }: SourceExamination,
  signal: AbortSignal,
): Promise<{ sizes: SampledSize[]; need: StoredPoints | null }> {
  const read = <T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> => call(signal);
  const isSmall = rows !== null && rows <= STRATA * SIZES_PER_STRATUM;
  const strata =
    isSmall || smallestId === null || largestId === null
      ? [{ range: { after: BELOW_ALL_IDS, upTo: LARGEST_ID }, records: rows }]
      : strataOfIds(smallestId, largestId, STRATA);
  const perStratum = strata.length === 1 ? STRATA * SIZES_PER_STRATUM : SIZES_PER_STRATUM;
  const sizes = await sampleSizes(source, table, strata, { perStratum, records: rows ?? 0 }, read);
  const records = Math.min(CONTENTS.records, Math.ceil((rowsPerSecond ?? Infinity) * PACED_SECONDS));
  const contents = await sampleContents(source, table, chunking, sizes, { ...CONTENTS, records }, read);
  if (rows === null) return { sizes, need: null };
  const share = Math.min(1, (limit ?? rows) / rows);
  const { parents, children, tokens, textBytes } = estimate(sizeBuckets(sizes), contents.records);
  const need = {
    parents: parents * share,
    children: children * share,
    tokens: tokens * share,
    textBytes: textBytes * share,
  };
  return { sizes, need };
}

function sizeChecks(sizes: readonly SampledSize[], rows: number | null): Check[] {
  const oversize = sizes.filter(({ bytes }) => (bytes ?? 0) > LARGEST_CONTENT_BYTES).length;
  const empty = sizes.filter(({ bytes }) => (bytes ?? 0) === 0).length;
  const count = (value: number): string => value.toLocaleString('en-US');
  const of =
    sizes.length === rows ? `${count(sizes.length)} records` : `${count(sizes.length)} records looked at`;
  return [
    oversize > 0
      ? warning(
          'source.oversize',
          `${count(oversize)} of ${of} are larger than 16 MiB.`,
          'They will be listed as failed (content_too_large); shorten or split them, or leave them out with MYSQL_FILTER.',
        )
      : ok('source.oversize', `None of ${of} is larger than 16 MiB.`),
    ok('source.empty', `${count(empty)} of ${of} are without content; they get no points.`),
  ];
}

function failed({ code, message }: Failure): Check {
  if (code === 'source_table_missing') {
    return problem('source.table', message, 'Correct MYSQL_DATABASE and MYSQL_TABLE, or grant SELECT on it.');
  }
  // Not in the fault's own sentence, which names several settings: in what the adapter adds to it.
  if (code === 'source_misconfigured' && message.includes('(MYSQL_FILTER')) {
    return problem('source.filter', message, 'Correct MYSQL_FILTER.');
  }
  if (code === 'source_access_denied') {
    return problem('source.permissions', message, 'Correct MYSQL_USER and MYSQL_PASSWORD, or grant SELECT.');
  }
  return problem(
    'source.server',
    message,
    'Check MYSQL_HOST, MYSQL_PORT and MYSQL_TLS, and that the worker may connect there.',
  );
}

function notSampled({ code, message }: Failure, { rowsPerSecond }: SourceExamination): Check {
  return warning(
    'source.oversize',
    `The sizes of the contents could not be looked at: ${message}`,
    code === 'timeout' && rowsPerSecond !== null
      ? `MYSQL_ROWS_PER_SECOND lets this process read ${rowsPerSecond} rows a second, and its jobs have their share of it; raise it if the server allows, or ask again later.`
      : 'A job reads slowly here, or not at all; check the index on MYSQL_ID_COLUMN and the load of the server.',
  );
}
