import type { IdRange, Source, TableSpec } from '../source/source.ts';
import { persist, type Attempt } from './patience.ts';

/** Ids of a keyset page; a page of ids is one short query. */
const IDS_PER_PAGE = 10_000;

/**
 * The ids of a range, ascending, page by page: what every plan is made from.
 *
 * @param limit most ids; null: all
 */
export async function* scanIds(
  source: Pick<Source, 'ids'>,
  table: TableSpec,
  range: IdRange,
  attempt: Attempt,
  limit: number | null,
): AsyncGenerator<bigint[]> {
  let { after } = range;
  const reading = AbortSignal.any([attempt.signal, attempt.stop]);
  let left = limit ?? Infinity;
  while (left > 0 && after < range.upTo) {
    const rest = { after, upTo: range.upTo };
    const count = Math.min(left, IDS_PER_PAGE);
    const ids = await persist(attempt, () => source.ids(table, rest, count, reading));
    attempt.stop.throwIfAborted();
    yield ids;
    const last = ids.at(-1);
    if (last === undefined || ids.length < count) return;
    after = last;
    left -= ids.length;
  }
}
