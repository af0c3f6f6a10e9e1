import { excerpt } from '../src/cli/terminal-width.ts';
import { jobSpecification } from '../src/config.ts';
import { createServices } from '../src/services.ts';
import type { CorpusRow } from './corpus.ts';
import { table, tell } from './output.ts';
import type { Place } from './place.ts';

const HITS = 3;
/** Columns of a terminal. */
const EXCERPT_WIDTH = 72;

/** Searches by meaning and by words, through the product's adapters, and shows the best hits. */
export async function showSearch(
  { environment }: Place,
  rows: readonly CorpusRow[],
  question: string,
  signal: AbortSignal,
): Promise<number> {
  const { source, collection } = jobSpecification(environment, {});
  const services = createServices(environment, 'demo');
  try {
    const { vectors } = await services.embedder.embed(collection, [question], { signal });
    const hits = await services.target.search(
      { collection: collection.name, source },
      { text: question, vector: vectors[0] ?? null, limit: HITS, tenant: null },
      signal,
    );
    const tenants = new Map(rows.map((row) => [row.id, row.member_code]));
    tell(`“${question}”`);
    tell(
      table(
        ['score', 'record', 'tenant', 'text'],
        hits.map(({ score, recordId, text }) => [
          score.toFixed(3),
          String(recordId),
          tenants.get(recordId) ?? '',
          excerpt(text, EXCERPT_WIDTH),
        ]),
      ),
    );
    return hits.length;
  } finally {
    await services.close();
  }
}
