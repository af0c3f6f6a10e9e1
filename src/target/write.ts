import type { Schemas } from '@qdrant/js-client-rest';
import { Fault } from '../errors.ts';
import type { Send } from './connection.ts';
import { DENSE, pointPayload, SPARSE, unfinishedChecksum } from './payload.ts';
import type { Bm25Options, PointOwner, PointWrite, SeenPoint } from './target.ts';

/** Larger requests gain nothing. Strict mode must allow as many. */
export const MAX_REQUEST_POINTS = 256;
/**
 * JSON of a request: 60 points with vectors of 1,536 dimensions. It is made at a stretch, 25 ms for as much, while
 * nothing else of the process moves, heartbeats included; and each slot may have one in memory at the same time.
 */
const MAX_REQUEST_BYTES = 2 * 1024 * 1024;

type Operation = Schemas['UpdateOperation'];

/** Contract: {@link Target.write}. */
export async function write(
  send: Send,
  owner: PointOwner,
  jobId: string,
  bm25: Bm25Options,
  writes: readonly PointWrite[],
  signal: AbortSignal,
  beforeRequest?: () => Promise<void>,
): Promise<void> {
  for (const request of requests(writes)) {
    await beforeRequest?.();
    const operations = sameAction(request).flatMap((run) => operationsOf(run, owner.source, jobId, bm25));
    const results = await send(signal, (api, init) =>
      api.batchUpdate({ collection_name: owner.collection, wait: true, operations }, init),
    );
    results.forEach(assertApplied);
  }
}

/** Contract: {@link Target.delete}. */
export async function deletePoints(
  send: Send,
  collection: string,
  points: readonly SeenPoint[],
  signal: AbortSignal,
  beforeRequest?: () => Promise<void>,
): Promise<void> {
  for (let start = 0; start < points.length; start += MAX_REQUEST_POINTS) {
    await beforeRequest?.();
    const page = points.slice(start, start + MAX_REQUEST_POINTS);
    const filter = {
      must: [{ has_id: page.map(({ id }) => id) }, untouched(page.map(({ checksum }) => checksum))],
    };
    const result = await send(signal, (api, init) =>
      api.deletePoints({ collection_name: collection, wait: true, filter }, init),
    );
    assertApplied(result);
  }
}

/** Cuts the writes, in their order, into what one request may carry. */
export function* requests(writes: readonly PointWrite[]): Generator<PointWrite[]> {
  let request: PointWrite[] = [];
  let bytes = 0;
  for (const write of writes) {
    const size = estimatedBytes(write);
    if (request.length === MAX_REQUEST_POINTS || (request.length > 0 && bytes + size > MAX_REQUEST_BYTES)) {
      yield request;
      request = [];
      bytes = 0;
    }
    request.push(write);
    bytes += size;
  }
  if (request.length > 0) {
    yield request;
  }
}

/** Upper estimate of the JSON of a write: 22 characters a float, 3 bytes a character of text. */
function estimatedBytes(write: PointWrite): number {
  const { text, copied } = write.point;
  const floats = write.action === 'describe' ? 0 : (write.vector?.length ?? 0);
  let characters = text.length * (floats > 0 ? 2 : 1);
  for (const value of Object.values(copied)) {
    characters += typeof value === 'string' ? value.length : 20;
  }
  return floats * 22 + characters * 3 + 1_024;
}

/** Consecutive writes of the same action, so that they become one operation where Qdrant has one for many points. */
function sameAction(writes: readonly PointWrite[]): PointWrite[][] {
  const runs: PointWrite[][] = [];
  for (const write of writes) {
    const run = runs.at(-1);
    if (run?.[0]?.action === write.action) {
      run.push(write);
    } else {
      runs.push([write]);
    }
  }
  return runs;
}

function operationsOf(
  run: readonly PointWrite[],
  source: string,
  jobId: string,
  bm25: Bm25Options,
): Operation[] {
  const vectorsOf = (write: PointWrite): Schemas['PointVectors']['vector'] =>
    write.action === 'describe' || write.vector === null
      ? {}
      : {
          [DENSE]: Array.from(write.vector),
          [SPARSE]: { text: write.point.text, model: 'qdrant/bm25', options: { ...bm25 } },
        };

  const created = run.flatMap((write) =>
    write.action !== 'create'
      ? []
      : {
          id: write.point.id,
          vector: vectorsOf(write),
          payload: {
            ...pointPayload(write.point, source, jobId),
            collection_ids: write.collectionIds ?? null,
          },
        },
  );
  if (created.length > 0) {
    return [{ upsert: { points: created, update_filter: unseen(run, source) } }];
  }

  const changes = run.filter((write) => write.action !== 'create');
  const revectored = changes.filter(isRevectored);
  const described = changes.map((write) => ({
    set_payload: {
      filter: isRevectored(write) ? begun([write]) : stillThese([write]),
      payload: pointPayload(write.point, source, jobId),
    },
  }));
  if (revectored.length === 0) {
    return described;
  }
  return [
    // The operations of a request are not one transaction, and those of other requests may come between them. From here
    // until its own payload is set, a point says that its vectors and its text may not belong together, and whose
    // change this is.
    ...byChecksum(revectored).map(([checksum, alike]) => ({
      set_payload: {
        filter: stillThese(alike, [unfinishedChecksum(checksum)]),
        payload: { checksum: unfinishedChecksum(checksum) },
      },
    })),
    {
      update_vectors: {
        points: revectored.map((write) => ({ id: write.point.id, vector: vectorsOf(write) })),
        update_filter: begun(revectored),
      },
    },
    ...described,
  ];
}

type Change = Exclude<PointWrite, { action: 'create' }>;

/** A parent's vector is null: only its payload is replaced. */
function isRevectored(change: Change): boolean {
  return change.action === 'replace' && change.vector !== null;
}

function byChecksum(changes: readonly Change[]): [string, Change[]][] {
  return [...Map.groupBy(changes, ({ point }) => point.checksum)];
}

/**
 * The points of these changes, as far as they are as they were seen, or as this very change left them.
 *
 * @param more checksums that a point may have
 */
function stillThese(changes: readonly Change[], more: readonly string[] = []): Schemas['Filter'] {
  const checksums = changes.flatMap(({ point, seen }) => [point.checksum, seen]);
  return { must: [{ has_id: idsOf(changes) }, untouched([...checksums, ...more])] };
}

/** The points of these changes, as far as no other change has begun on them since these did. */
function begun(changes: readonly Change[]): Schemas['Filter'] {
  const checksums = new Set(changes.map(({ point }) => unfinishedChecksum(point.checksum)));
  return { must: [{ has_id: idsOf(changes) }, { key: 'checksum', match: { any: [...checksums] } }] };
}

function idsOf(changes: readonly Change[]): string[] {
  return changes.map(({ point }) => point.id);
}

/**
 * Points that no scan of these records finds, or that have lost their checksum: only such a one may stand where a point
 * is created. Another was created meanwhile, with this content or a newer one, and may have associations by now.
 */
function unseen(created: readonly PointWrite[], source: string): Schemas['Filter'] {
  const records = [...new Set(created.map(({ point }) => point.recordId))];
  return {
    should: [
      { must_not: [{ key: 'source', match: { value: source } }] },
      // Qdrant takes 64-bit integers; the driver's types know only numbers.
      { must_not: [{ key: 'summary_id', match: { any: records as unknown as number[] } }] },
      ...withChecksum([]),
    ],
  };
}

/**
 * That a point carries one of these checksums, or none. An attempt that was stopped and goes on beside its successor
 * meets the successor's checksum, and changes nothing.
 */
function untouched(checksums: readonly (string | null)[]): Schemas['Condition'] {
  const known = new Set(checksums.filter((checksum) => checksum !== null));
  return { should: withChecksum([...known]) };
}

function withChecksum(known: readonly string[]): Schemas['Condition'][] {
  return [{ key: 'checksum', match: { any: ['', ...known] } }, { is_empty: { key: 'checksum' } }];
}

function assertApplied(result: Schemas['UpdateResult']): void {
  if (result.status !== 'completed') {
    throw new Fault('target_unavailable', `a write is ${result.status}, but not applied yet`);
  }
}
