import type { Schemas } from '@qdrant/js-client-rest';
import { differences } from './collection-schema.ts';
import { aliasTarget, readCollection } from './collection.ts';
import type { Send } from './connection.ts';
import type { CollectionSpec, FoundCollection } from './target.ts';

/** Contract: {@link Target.find}. */
export async function find(send: Send, spec: CollectionSpec, signal: AbortSignal): Promise<FoundCollection> {
  return describeFound(send, spec, await readCollection(send, spec.name, signal), signal);
}

/** @param info of whatever has the name; null: nothing has */
export async function describeFound(
  send: Send,
  spec: CollectionSpec,
  info: Schemas['CollectionInfo'] | null,
  signal: AbortSignal,
): Promise<FoundCollection> {
  if (info === null) return { collection: null, isAlias: false, differences: [], vectorDifferences: [] };
  const behind = await aliasTarget(send, spec.name, signal);
  const found = differences(info, spec);
  return {
    collection: behind ?? spec.name,
    isAlias: behind !== null,
    differences: found.map(({ phrase }) => phrase),
    vectorDifferences: found.filter(({ ofVectors }) => ofVectors).map(({ phrase }) => phrase),
  };
}
