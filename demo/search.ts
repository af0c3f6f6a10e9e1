import { jobSpecification } from '../src/config.ts';
import { createServices } from '../src/services.ts';
import type { CorpusRow } from './corpus.ts';
import { table, tell } from './output.ts';
import type { Place } from './place.ts';

const HITS = 3;
/** Columns of a terminal. */
const EXCERPT_WIDTH = 72;
/** Characters that take two columns: Chinese, Japanese, Korean, emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Emoji_Presentation}/u;

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
      { text: question, vector: vectors[0] ?? null, limit: HITS },
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
          excerpt(text),
        ]),
      ),
    );
    return hits.length;
  } finally {
    await services.close();
  }
}

/** The beginning, on one line. */
function excerpt(text: string): string {
  let width = 0;
  let line = '';
  for (const character of text.replace(/\s+/g, ' ').trim()) {
    width += WIDE.test(character) ? 2 : 1;
    if (width > EXCERPT_WIDTH) return `${line}…`;
    line += character;
  }
  return line;
}
