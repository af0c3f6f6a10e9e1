import type { Schemas } from '@qdrant/js-client-rest';
import { differences, missingIndexes, recordedOrigin } from './collection-schema.ts';
import { aliasTarget, readCollection } from './collection.ts';
import type { Send } from './connection.ts';
import { statusOf } from './errors.ts';
import { serverCapacity, serverVersion } from './server.ts';
import { strictLimits } from './strict-mode.ts';
import type { CollectionSpec, TargetExamination } from './target.ts';

const NO_POINTS = { own: 0, others: 0, foreign: 0 };

/** Contract: {@link Target.examine}. */
export async function examine(
  send: Send,
  spec: CollectionSpec,
  source: string,
  signal: AbortSignal,
): Promise<TargetExamination> {
  const server = await serverVersion(send, signal);
  const info = await readCollection(send, spec.name, signal);
  const capacity = await serverCapacity(send, signal);
  if (info === null) {
    return {
      ...server,
      collection: null,
      isAlias: false,
      differences: [],
      missingIndexes: [],
      hasOrigin: false,
      points: NO_POINTS,
      canWrite: await mayCreate(send, signal),
      limits: [],
      capacity,
    };
  }
  const behind = await aliasTarget(send, spec.name, signal);
  const collection = behind ?? spec.name;
  const points = await countPoints(send, collection, info, source, signal);
  return {
    ...server,
    collection,
    isAlias: behind !== null,
    differences: differences(info, spec),
    missingIndexes: missingIndexes(info).map(([field]) => field),
    hasOrigin: recordedOrigin(info) !== null,
    points,
    canWrite: await mayWrite(send, collection, signal),
    limits: strictLimits(info, spec, points.own + points.others + points.foreign),
    capacity,
  };
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
): Promise<TargetExamination['points']> {
  const strict = (info.config.strict_mode_config ?? {}) as Schemas['StrictModeConfigOutput'];
  const isStrict = strict.enabled === true;
  const exact = !(isStrict && strict.search_allow_exact === false);
  const count = async (filter?: Schemas['Filter']) => {
    const body = { exact, ...(filter === undefined ? {} : { filter }) };
    return (
      await send(signal, (api, init) => api.countPoints({ collection_name: collection, ...body }, init))
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
