import type { Schemas } from '@qdrant/js-client-rest';
import { missingIndexes } from './collection-schema.ts';
import { SPARSE } from './payload.ts';
import { SCAN_PAGE } from './scan.ts';
import type { CollectionSpec, StrictLimit } from './target.ts';
import { MAX_REQUEST_POINTS } from './write.ts';

/** Source, type and tenant of a search; source, record id and has_vector of an inspection. */
const MAX_FILTER_CONDITIONS = 4;

/**
 * The limits that the strict mode of a collection sets, those that are too low for the product first. A permission is
 * too low if it is needed and false, a number if it is smaller than needed. `needed` is 0 where nothing of the product
 * depends on it, where only slowing down is asked for (rate limits), or where the job alone decides it (sizes).
 *
 * @param points how many the collection has; at least as many must be allowed
 */
export function strictLimits(
  info: Schemas['CollectionInfo'],
  spec: CollectionSpec,
  points: number,
): StrictLimit[] {
  const config = (info.config.strict_mode_config ?? {}) as Schemas['StrictModeConfigOutput'];
  if (config.enabled !== true) {
    return [];
  }
  const needs: Readonly<Record<string, number | boolean>> = {
    max_query_limit: SCAN_PAGE,
    upsert_max_batchsize: MAX_REQUEST_POINTS,
    filter_max_conditions: MAX_FILTER_CONDITIONS,
    // The checksum of each point of a request, and of a record the new one, the unfinished one and the empty one.
    condition_max_size: MAX_REQUEST_POINTS + 3,
    max_payload_index_count: Object.keys(info.payload_schema).length + missingIndexes(info).length,
    max_points_count: points,
    // What we filter by is indexed before the first point.
    unindexed_filtering_retrieve: false,
    unindexed_filtering_update: false,
  };
  const limits: StrictLimit[] = [];
  for (const [name, value] of Object.entries(config)) {
    if (name !== 'enabled' && (typeof value === 'number' || typeof value === 'boolean')) {
      limits.push(judged(name, value, needs[name] ?? (typeof value === 'boolean' ? false : 0)));
    }
  }
  const sparse = config.sparse_config as Schemas['StrictModeSparseConfigOutput'] | null | undefined;
  const maxLength = sparse?.[SPARSE]?.max_length;
  if (typeof maxLength === 'number') {
    // A child of the expected mean length has at most so many different words.
    const needed = Math.ceil(spec.bm25.avg_len);
    limits.push(judged(`sparse_config.${SPARSE}.max_length`, maxLength, needed));
  }
  return limits.sort((a, b) => Number(b.isTooLow) - Number(a.isTooLow));
}

function judged(name: string, value: number | boolean, needed: number | boolean): StrictLimit {
  const isTooLow = typeof value === 'number' ? value < Number(needed) : needed === true && !value;
  return { name, value, needed, isTooLow };
}
