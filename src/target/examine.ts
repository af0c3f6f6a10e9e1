import type { Schemas } from '@qdrant/js-client-rest';
import { missingIndexes, recordedOrigin } from './collection-schema.ts';
import { readCollection } from './collection.ts';
import type { Send } from './connection.ts';
import { statusOf } from './errors.ts';
import { describeFound } from './find.ts';
import { serverCapacity, serverVersion } from './server.ts';
import { strictLimits } from './strict-mode.ts';
import type { CollectionSpec, TargetExamination } from './target.ts';

const NO_POINTS = { own: 0, others: 0, foreign: 0 };
/** Qdrant collects all matching ids for an exact count; in a large collection nobody has to wait for that. */
const COUNT_LIMIT_MS = 5_000;

/**
 * Contract: {@link Target.examine}.
 *
 * @param countLimitMs how long points are counted, all counts together
 */
export async function examine(
  send: Send,
  spec: CollectionSpec,
  source: string,
  signal: AbortSignal,
  countLimitMs = COUNT_LIMIT_MS,
): Promise<TargetExamination> {
  const server = await serverVersion(send, signal);
  const info = await readCollection(send, spec.name, signal);
  const capacity = await serverCapacity(send, signal);
  const found = await describeFound(send, spec, info, signal);
  if (info === null || found.collection === null) {
    return {
      ...server,
      ...found,
      missingIndexes: [],
      hasOrigin: false,
      size: 0,
      points: NO_POINTS,
      canWrite: await mayCreate(send, signal),
      limits: [],
      capacity,
    };
  }
  const size = info.points_count ?? 0;
  return {
    ...server,
    ...found,
    missingIndexes: missingIndexes(info).map(([field]) => field),
    hasOrigin: recordedOrigin(info) !== null,
    size,
    points: await countWithin(countLimitMs, send, found.collection, info, source, signal),
    canWrite: await mayWrite(send, found.collection, signal),
    limits: strictLimits(info, spec, size),
    capacity,
  };
}

/** @returns null if it takes too long or Qdrant refuses: how many there are is for people, and nothing depends on it */
async function countWithin(
  limitMs: number,
  send: Send,
  collection: string,
  info: Schemas['CollectionInfo'],
  source: string,
  signal: AbortSignal,
): Promise<TargetExamination['points']> {
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    return await countPoints(send, collection, info, source, within, limitMs);
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

/**
 * Counts by owner. Where strict mode forbids to filter by `source` because it has no index, nothing of the product was
 * ever written there (its indexes come before its points), so all points are foreign.
 */
async function countPoints(
  send: Send,
  collection: string,
  info: Schemas['CollectionInfo'],
  source: string,
  signal: AbortSignal,
  limitMs: number,
): Promise<NonNullable<TargetExamination['points']>> {
  const strict = (info.config.strict_mode_config ?? {}) as Schemas['StrictModeConfigOutput'];
  const isStrict = strict.enabled === true;
  const exact = !(isStrict && strict.search_allow_exact === false);
  // In seconds; without it the server would go on when nobody listens any more.
  const timeout = Math.max(1, Math.min(Math.ceil(limitMs / 1_000), strict.max_timeout ?? Infinity));
  const count = async (filter?: Schemas['Filter']) => {
    const body = { exact, ...(filter === undefined ? {} : { filter }) };
    return (
      await send(signal, (api, init) =>
        api.countPoints({ collection_name: collection, timeout, ...body }, init),
      )
    ).count;
  };
  const total = await count();
  const mayFilter = !(isStrict && strict.unindexed_filtering_retrieve === false);
  if (!mayFilter && info.payload_schema.source === undefined) {
    return { own: 0, others: 0, foreign: total };
  }
  const own = await count({ must: [{ key: 'source', match: { value: source } }] });
  const foreign = await count({ must: [{ is_empty: { key: 'source' } }] });
  // Others may be writing between the counts.
  return { own, others: Math.max(0, total - own - foreign), foreign };
}

/**
 * Asks to delete no points at all. Qdrant checks the key first and then refuses a request that reaches no shard (400,
 * "Empty update request"; read in the sources of 1.13 to 1.19), so both answers say that the key may write. Nothing
 * reaches the write-ahead log.
 */
async function mayWrite(send: Send, collection: string, signal: AbortSignal): Promise<boolean> {
  return (
    (await isAllowed(() =>
      send(signal, (api, init) =>
        api.deletePoints({ collection_name: collection, wait: true, points: [] }, init),
      ),
    )) ?? true
  );
}

/** Asks for no change of aliases, which needs the same permission as to create a collection and an alias. */
async function mayCreate(send: Send, signal: AbortSignal): Promise<boolean | null> {
  return isAllowed(() => send(signal, (api, init) => api.updateAliases({ actions: [] }, init)));
}

/** @returns null if the request was refused for another reason than the key */
async function isAllowed(request: () => Promise<unknown>): Promise<boolean | null> {
  try {
    await request();
    return true;
  } catch (error) {
    const status = statusOf(error);
    if (status === 401 || status === 403) {
      return false;
    }
    if (status === 400 || status === 422) {
      return null;
    }
    throw error;
  }
}
