import type { Vector } from '../embedding/embedder.ts';
import { Fault, InputError } from '../errors.ts';
import type { Hit, SearchInput, SearchReport } from '../job/inquiry.ts';
import { persist, type Attempt } from '../reconcile/patience.ts';
import type { ParentHit, SearchHit, SearchQuery } from '../target/target.ts';
import { TextAllowance } from './answer-size.ts';
import type { InquiryServices } from './services.ts';

/** Most hits of a search. */
export const MAX_HITS = 100;
const MODES: readonly SearchInput['mode'][] = ['hybrid', 'dense', 'sparse'];

/** Looks at a question before anything is asked. @throws InputError naming what is wrong with it */
export function checkSearch({ text, mode, limit }: Omit<SearchInput, 'specification'>): void {
  const problems = [];
  if (text.trim() === '') problems.push('TEXT: expected words to search for; the text is empty.');
  if (!MODES.includes(mode)) problems.push(`--mode: expected ${MODES.join(', ')}.`);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_HITS) {
    problems.push(`--limit: expected a whole number from 1 to ${MAX_HITS}.`);
  }
  if (problems.length > 0) throw new InputError(problems);
}

/**
 * Contract: {@link Inquiries.search}. All but a sparse search pay one input.
 *
 * @throws InputError if the question is malformed or there is no collection yet
 * @throws Fault `target_incompatible` if vectors of the job's model say nothing in this collection
 */
export async function search(
  services: InquiryServices,
  input: SearchInput,
  attempt: Attempt,
): Promise<SearchReport> {
  checkSearch(input);
  const { specification, mode, limit, tenant } = input;
  const spec = specification.collection;
  const signal = AbortSignal.any([attempt.signal, attempt.stop]);
  const { collection, vectorDifferences } = await persist(attempt, () => services.target.find(spec, signal));
  if (collection === null) {
    throw new InputError([
      `QDRANT_COLLECTION_NAME: Qdrant has no alias or collection ${spec.name} yet; \`ferry start\` creates it.`,
    ]);
  }
  if (mode !== 'sparse' && vectorDifferences.length > 0) {
    throw new Fault('target_incompatible', `${collection}: ${vectorDifferences.join('; ')}`);
  }
  const query: SearchQuery = {
    text: mode === 'dense' ? null : input.text,
    vector: mode === 'sparse' ? null : await vectorOf(services, input, attempt, signal),
    limit,
    tenant,
    copiedColumns: specification.table.payloadColumns,
  };
  const owner = { collection, source: specification.source };
  const texts = new TextAllowance();
  const hits = input.parents
    ? (await persist(attempt, () => services.target.searchParents(owner, query, signal))).map((parent) => ({
        ...hit(parent, texts),
        children: parent.children.map((child) => hit(child, texts)),
      }))
    : (await persist(attempt, () => services.target.search(owner, query, signal))).map((child) =>
        hit(child, texts),
      );
  return { collection, hits: hits.toSorted(inOrder) };
}

async function vectorOf(
  { embedder }: InquiryServices,
  { specification, text }: SearchInput,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<Vector | null> {
  const { collection } = specification;
  try {
    const { vectors } = await persist(attempt, () =>
      embedder.embed(collection, [text], { signal, onWait: (reason) => attempt.waiting(reason) }),
    );
    return vectors[0] ?? null;
  } catch (error) {
    if (!(error instanceof Fault) || error.kind !== 'record') throw error;
    throw new InputError([
      'TEXT: the embedding service refuses it (it may be too long); change it, or add --mode sparse.',
    ]);
  }
}

/** Qdrant gives hits of one score in any order; the same question should get the same answer. */
function inOrder(a: Hit, b: Hit): number {
  return b.score - a.score || (a.id < b.id ? -1 : Number(a.id > b.id));
}

function hit(found: SearchHit | ParentHit, texts: TextAllowance): Hit {
  const { id, score, recordId, tenant, parentIndex, text, copied } = found;
  return {
    id,
    score,
    recordId: String(recordId),
    tenant,
    parentIndex,
    chunkIndex: 'chunkIndex' in found ? found.chunkIndex : null,
    text: texts.take(text) ?? '…',
    copied: Object.fromEntries(
      Object.entries(copied).map(([column, value]) => [column, texts.takeValue(value)]),
    ),
    children: [],
  };
}
