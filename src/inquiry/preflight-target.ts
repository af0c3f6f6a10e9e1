import type { Check } from '../job/inquiry.ts';
import type { JobSpecification } from '../job/specification.ts';
import type { Attempt } from '../reconcile/patience.ts';
import type { StrictLimit, Target, TargetExamination } from '../target/target.ts';
import { storageNeed, type StoredPoints } from './estimate-storage.ts';
import { look, ok, problem, warning, type Failure } from './preflight-check.ts';

const LIMIT_MS = 20_000;

/** What was found in the target. */
export interface TargetFindings {
  readonly checks: readonly Check[];
  /** Undefined if Qdrant could not be looked at. */
  readonly capacity: TargetExamination['capacity'] | undefined;
}

/** Looks at Qdrant and at the collection behind the job's name. */
export async function lookAtTarget(
  target: Target,
  { collection, source }: JobSpecification,
  attempt: Attempt,
): Promise<TargetFindings> {
  const answer = await look(attempt, LIMIT_MS, (signal) => target.examine(collection, source, signal));
  if ('failure' in answer) return { checks: [failed(answer.failure)], capacity: undefined };
  const examined = answer.found;
  const checks = [
    examined.isSupported
      ? ok('target.server', `Qdrant ${examined.version} answers.`)
      : problem('target.server', `Qdrant ${examined.version} is too old.`, 'Upgrade it to 1.16 or newer.'),
    writeCheck(examined),
    ...(examined.collection === null
      ? [absent(collection.name)]
      : collectionChecks(collection.name, examined)),
  ];
  return { checks, capacity: examined.capacity };
}

function writeCheck({ canWrite, collection }: TargetExamination): Check {
  if (canWrite === false) {
    return problem(
      'target.permissions',
      collection === null
        ? 'The key may not create a collection.'
        : `The key may not write to ${collection}.`,
      'Set QDRANT_API_KEY to a key that may manage the collection.',
    );
  }
  return ok(
    'target.permissions',
    canWrite === null ? 'Qdrant does not say whether the key may write.' : 'The key may write.',
  );
}

function absent(name: string): Check {
  return ok(
    'target.collection',
    `Nothing is called ${name} yet: ${name}_v1 will be created, and ${name} an alias of it.`,
  );
}

function collectionChecks(name: string, examined: TargetExamination): Check[] {
  const { isAlias, differences, missingIndexes } = examined;
  const collection = examined.collection ?? name;
  return [
    ok('target.collection', isAlias ? `${name} is an alias of ${collection}.` : `${name} is a collection.`),
    ...(differences.length === 0
      ? [ok('target.schema', `${collection} fits the job.`)]
      : differences.map((difference) =>
          problem(
            'target.schema',
            `${collection} does not fit the job: ${difference}.`,
            'Name another collection in QDRANT_COLLECTION_NAME, or set model, dimensions and BM25 options as the collection has them.',
          ),
        )),
    ok(
      'target.indexes',
      missingIndexes.length === 0
        ? 'All payload indexes exist.'
        : `Payload indexes will be added on ${missingIndexes.join(', ')}.`,
    ),
    originCheck(collection, examined),
    pointsCheck(examined),
    ...limitChecks(examined.limits),
  ];
}

function originCheck(collection: string, { hasOrigin, size, points }: TargetExamination): Check {
  const total = points === null ? size : points.own + points.others + points.foreign;
  if (hasOrigin) return ok('target.origin', 'Its metadata records model, dimensions and BM25 options.');
  return total === 0
    ? ok('target.origin', 'Model, dimensions and BM25 options will be recorded in its metadata.')
    : warning(
        'target.origin',
        `${collection} holds ${count(total)} points and does not say what they were made with; model and BM25 options of the job will be recorded.`,
        'Make sure that its points have the model of OPENAI_EMBEDDING_MODEL, or name another QDRANT_COLLECTION_NAME.',
      );
}

function pointsCheck({ size, points }: TargetExamination): Check {
  if (points === null) {
    return ok(
      'target.points',
      `It holds about ${count(size)} points; whose they are could not be counted in time. Only those of this source are ever changed.`,
    );
  }
  return ok(
    'target.points',
    `It holds ${count(points.own)} points of this source, ${count(points.others)} of other sources and ${count(points.foreign)} foreign ones; only those of this source are ever changed.`,
  );
}

function limitChecks(limits: readonly StrictLimit[]): Check[] {
  const tooLow = limits.filter((limit) => limit.isTooLow);
  if (tooLow.length > 0) {
    return tooLow.map(({ name, value, needed }) =>
      problem(
        'target.limits',
        `Strict mode limits ${name} to ${value}; the job needs ${needed}.`,
        `Raise ${name} in the strict mode of the collection.`,
      ),
    );
  }
  const others = limits.map(({ name, value }) => `${name} ${value}`).join(', ');
  return [
    ok('target.limits', limits.length === 0 ? 'Strict mode sets no limits.' : `Strict mode: ${others}.`),
  ];
}

/** Compares what the points need with what the server has; nothing if one of them is not known at all. */
export function capacityChecks(
  capacity: TargetFindings['capacity'],
  need: StoredPoints | null,
  { collection }: JobSpecification,
): Check[] {
  if (capacity === undefined || need === null) return [];
  const { diskBytes, memoryBytes } = storageNeed(need, collection);
  const needed = `the points need about ${gigabytes(diskBytes)} of disk and, for searches at full speed, ${gigabytes(memoryBytes)} of memory`;
  if (capacity === null) {
    return [
      warning(
        'target.capacity',
        `Qdrant does not say how large its machine is; ${needed}.`,
        'Compare that with the size of your cluster; QDRANT_BINARY_QUANTIZATION=true needs far less memory.',
      ),
    ];
  }
  const has = `the machine has ${gigabytes(capacity.diskBytes)} and ${gigabytes(capacity.memoryBytes)}`;
  if (diskBytes > capacity.diskBytes) {
    return [problem('target.capacity', `Too little disk: ${needed}; ${has}.`, 'Give Qdrant a larger disk.')];
  }
  if (memoryBytes > capacity.memoryBytes) {
    return [
      warning(
        'target.capacity',
        `Searches will read from disk: ${needed}; ${has}.`,
        'Give Qdrant more memory, or set QDRANT_BINARY_QUANTIZATION=true before the collection is created.',
      ),
    ];
  }
  return [ok('target.capacity', `Room enough: ${needed}; ${has}.`)];
}

function failed({ code, message }: Failure): Check {
  return code === 'target_access_denied'
    ? problem('target.permissions', message, 'Set QDRANT_API_KEY to a key that may manage the collection.')
    : problem(
        'target.server',
        message,
        'Check QDRANT_URL (with its port, :443 behind a proxy) and that the worker may connect there.',
      );
}

function gigabytes(bytes: number): string {
  const value = bytes / 1e9;
  return `${value < 0.1 ? '0.1' : value.toFixed(value < 10 ? 1 : 0)} GB`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
