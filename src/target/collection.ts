import type { Schemas } from '@qdrant/js-client-rest';
import { Fault } from '../errors.ts';
import {
  definition,
  differences,
  hasTenants,
  metadata,
  missingIndexes,
  recordedOrigin,
} from './collection-schema.ts';
import type { Send } from './connection.ts';
import { statusOf } from './errors.ts';
import type { CollectionSpec, PreparedCollection } from './target.ts';

/** Hosts that prepare at once can get in each other's way once; more often something else is wrong. */
const MAX_ROUNDS = 3;
const MAX_NUMBER = 1_000;

/**
 * Contract: {@link Target.prepare}. It only goes forward, one idempotent step after the other (collection, payload
 * indexes, alias), and finds out anew where it stands, so it may be killed anywhere and run on several hosts at once.
 */
export async function prepare(
  send: Send,
  spec: CollectionSpec,
  signal: AbortSignal,
): Promise<PreparedCollection> {
  const notes: string[] = [];
  let problem = new Fault('target_unavailable', `alias ${spec.name} does not appear after its creation`);
  for (let round = 0; round < MAX_ROUNDS; round++) {
    if ((await readCollection(send, spec.name, signal)) !== null) {
      // Asked in this order, an alias that another host sets meanwhile cannot be taken for a collection.
      const collection = (await aliasTarget(send, spec.name, signal)) ?? spec.name;
      notes.push(...(await complete(send, collection, spec, signal)));
      return { collection, notes };
    }
    try {
      await createBehindAlias(send, spec, notes, signal);
    } catch (error) {
      if (!isConflict(error)) {
        throw error;
      }
      problem = error;
    }
  }
  throw problem;
}

/**
 * Checks a collection that is to be used, then adds what it lacks.
 *
 * @returns notes for the operator
 * @throws Fault `target_incompatible`; nothing has been written then
 */
async function complete(
  send: Send,
  collection: string,
  spec: CollectionSpec,
  signal: AbortSignal,
): Promise<string[]> {
  const info = await readCollection(send, collection, signal);
  if (info === null) {
    throw new Fault('target_collection_missing', collection);
  }
  const different = differences(info, spec);
  if (different.length > 0) {
    throw new Fault(
      'target_incompatible',
      `${collection}: ${different.map(({ phrase }) => phrase).join('; ')}`,
    );
  }
  const notes: string[] = [];
  const indexed = await createIndexes(send, collection, info, signal);
  if (indexed.length > 0) {
    notes.push(`Collection ${collection}: payload indexes added on ${indexed.join(', ')}.`);
  }
  const tenantIndex = info.payload_schema.member_code;
  if (tenantIndex !== undefined && !hasTenants(tenantIndex)) {
    notes.push(
      `Collection ${collection}: the index on member_code is no tenant index; searches stay slower.`,
    );
  }
  if (recordedOrigin(info) === null) {
    notes.push(...(await recordOrigin(send, collection, info, spec, signal)));
  }
  return notes;
}

async function recordOrigin(
  send: Send,
  collection: string,
  info: Schemas['CollectionInfo'],
  spec: CollectionSpec,
  signal: AbortSignal,
): Promise<string[]> {
  // About as many: to count exactly takes long in a large collection.
  const count = info.points_count ?? 0;
  await send(signal, (api, init) =>
    api.updateCollection({ collection_name: collection, metadata: metadata(spec) }, init),
  );
  const recorded = `Collection ${collection}: model, dimensions and BM25 options recorded in its metadata.`;
  const unknown = `Collection ${collection} held about ${count} points before; their model and BM25 options may differ.`;
  return count > 0 ? [recorded, unknown] : [recorded];
}

async function createBehindAlias(
  send: Send,
  spec: CollectionSpec,
  notes: string[],
  signal: AbortSignal,
): Promise<void> {
  const { collection, info } = await claim(send, spec, notes, signal);
  await createIndexes(send, collection, info, signal);
  await send(signal, (api, init) =>
    api.updateAliases(
      { actions: [{ create_alias: { alias_name: spec.name, collection_name: collection } }] },
      init,
    ),
  );
  notes.push(`Alias ${spec.name} now leads to collection ${collection}.`);
}

/**
 * Creates `<name>_v1`. One that is there already, fits, carries our metadata and has no alias is a preparation that
 * was interrupted or runs on another host: it is taken over. Any other stays as it is, and the next number is tried.
 */
async function claim(
  send: Send,
  spec: CollectionSpec,
  notes: string[],
  signal: AbortSignal,
): Promise<{ collection: string; info: Schemas['CollectionInfo'] }> {
  for (let number = 1; number <= MAX_NUMBER; number++) {
    const collection = `${spec.name}_v${number}`;
    let info = await readCollection(send, collection, signal);
    if (info === null) {
      try {
        await send(signal, (api, init) =>
          api.createCollection({ collection_name: collection, ...definition(spec) }, init),
        );
        notes.push(`Collection ${collection} created.`);
      } catch (error) {
        if (!isConflict(error)) {
          throw error;
        }
      }
      info = await readCollection(send, collection, signal);
    }
    if (info === null) {
      // Another host is in the middle of it; a later attempt finds it.
      throw new Fault('target_unavailable', `collection ${collection} cannot be read yet`);
    }
    if (await isUnfinished(send, collection, info, spec, signal)) {
      return { collection, info };
    }
    notes.push(`Collection ${collection} exists for something else and was left alone.`);
  }
  throw new Fault(
    'target_incompatible',
    `${spec.name}_v1 to ${spec.name}_v${MAX_NUMBER} exist for something else`,
  );
}

async function isUnfinished(
  send: Send,
  collection: string,
  info: Schemas['CollectionInfo'],
  spec: CollectionSpec,
  signal: AbortSignal,
): Promise<boolean> {
  if (recordedOrigin(info) === null || differences(info, spec).length > 0) {
    return false;
  }
  const { aliases } = await send(signal, (api, init) => api.getCollectionsAliases({}, init));
  return aliases.every(
    ({ alias_name, collection_name }) =>
      alias_name !== collection && (collection_name !== collection || alias_name === spec.name),
  );
}

/** An index that exists is never sent again: Qdrant would replace it, without `is_tenant` if that is not repeated. */
async function createIndexes(
  send: Send,
  collection: string,
  info: Schemas['CollectionInfo'],
  signal: AbortSignal,
): Promise<string[]> {
  const missing = missingIndexes(info);
  for (const [field_name, field_schema] of missing) {
    await send(signal, (api, init) =>
      api.createFieldIndex({ collection_name: collection, wait: true, field_name, field_schema }, init),
    );
  }
  return missing.map(([field]) => field);
}

/** @returns the collection that the alias leads to, or null if there is no such alias */
export async function aliasTarget(send: Send, name: string, signal: AbortSignal): Promise<string | null> {
  const { aliases } = await send(signal, (api, init) => api.getCollectionsAliases({}, init));
  return aliases.find((alias) => alias.alias_name === name)?.collection_name ?? null;
}

/** @returns null if there is no such collection */
export async function readCollection(
  send: Send,
  collection: string,
  signal: AbortSignal,
): Promise<Schemas['CollectionInfo'] | null> {
  try {
    return await send(signal, (api, init) => api.getCollection({ collection_name: collection }, init));
  } catch (error) {
    if (error instanceof Fault && error.code === 'target_collection_missing') {
      return null;
    }
    throw error;
  }
}

/** Someone else created the collection or the alias in the meantime. */
function isConflict(error: unknown): error is Fault {
  return statusOf(error) === 409;
}
