import type { TableSpec } from '../source/source.ts';
import type { CollectionSpec } from '../target/target.ts';
import type { ChunkingOptions } from '../chunking/chunker.ts';

/**
 * All that shapes the workflows or the points of a job. It travels in the workflow's input, so that two hosts with
 * different environments cannot write one job differently; addresses and secrets stay in each worker's environment.
 */
export interface JobSpecification {
  /** Payload `source` of every point: `<SOURCE_LABEL>/<table>`, never a host or port. */
  readonly source: string;
  readonly table: TableSpec;
  /** Ends the plan at the Nth lowest id that passes the filter; null: the whole table. */
  readonly limit: number | null;
  /** Whether points of rows that the table no longer has are deleted. */
  readonly prune: boolean;
  readonly collection: CollectionSpec;
  readonly chunking: ChunkingOptions;
  /** Records of a batch, 1 to 1,000. */
  readonly batchSize: number;
  /** Batches in hand at once over all workers. */
  readonly concurrency: number;
  /** How often a batch is repeated after an unexplained fault. */
  readonly maxRetries: number;
  readonly heartbeatIntervalMs: number;
  /** A batch that makes no progress for this long, outside declared waits, starts again. */
  readonly batchTimeoutMs: number;
  /** How long a service may be out, since the batch's last successful call, before the job pauses. */
  readonly patienceMs: number;
}

/**
 * Names the fields in which two specifications differ, as dotted paths.
 *
 * @returns e.g. `['batchSize', 'table.filter']`, in the order of the fields; empty if they are equal
 */
export function differingFields(a: unknown, b: unknown, path = ''): string[] {
  if (isRecord(a) && isRecord(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => differingFields(a[key], b[key], path === '' ? key : `${path}.${key}`));
  }
  return JSON.stringify(a) === JSON.stringify(b) ? [] : [path];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
