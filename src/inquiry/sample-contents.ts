import { setImmediate as yieldNow } from 'node:timers/promises';
import { chunk, type ChunkingOptions } from '../chunking/chunker.ts';
import { countTokens } from '../chunking/tokens.ts';
import type { Source, SourceRow, TableSpec } from '../source/source.ts';
import type { SampledRecord } from './estimate.ts';
import type { SampledSize } from './sample-sizes.ts';
import { LARGEST_CONTENT_BYTES, sizeClass } from './sizes.ts';

/** Neighbours that are read together: one query instead of many. */
const RUN = 10;
/** Of each size at least so many are read, so that the few that hold most of the bytes are not guessed at. */
const PER_SIZE_CLASS = 8;
const PAGE = { maxRows: 1_000, maxBytes: 4 * 1024 * 1024 };

/** How much content a sample reads. */
export interface ContentBounds {
  readonly records: number;
  readonly bytes: number;
}

/** Contents that were read and chunked. */
export interface ContentSample {
  readonly records: readonly SampledRecord[];
  /** Their children's texts. */
  readonly texts: readonly string[];
}

/**
 * Reads and chunks the contents of some of the records whose sizes are known: all of them if they are few, else runs
 * spread evenly, and then some of every size that these missed, at most as many again.
 *
 * @param read makes one call; repeats it, or gives up
 */
export async function sampleContents(
  source: Pick<Source, 'page'>,
  table: TableSpec,
  chunking: ChunkingOptions,
  sizes: readonly SampledSize[],
  bounds: ContentBounds,
  read: <T>(call: (signal: AbortSignal) => Promise<T>) => Promise<T>,
): Promise<ContentSample> {
  const records: SampledRecord[] = [];
  const texts: string[] = [];
  for (const run of neighbours(sizes, pickedIndexes(sizes, bounds))) {
    const known = new Map(run.map(({ id, bytes }) => [id, bytes]));
    const upTo = run.at(-1)?.id ?? 0n;
    for (let after = (run[0]?.id ?? 0n) - 1n; after < upTo;) {
      const rest = { after, upTo };
      const page = await read((signal) => source.page(table, rest, PAGE, signal));
      for (const row of page.rows) {
        const bytes = known.get(row.id);
        // A row that came since its neighbours' sizes were read.
        if (bytes === undefined) continue;
        records.push(await sampledRecord(row, bytes ?? 0, chunking, texts));
      }
      after = page.upTo;
    }
  }
  return { records, texts };
}

/** Positions in `sizes` whose content is read. */
function pickedIndexes(sizes: readonly SampledSize[], bounds: ContentBounds): Set<number> {
  const readable = (index: number): number => readableBytes(sizes[index]?.bytes ?? 0);
  const total = sizes.reduce((sum, _, index) => sum + readable(index), 0);
  if (sizes.length <= bounds.records && total <= bounds.bytes) return new Set(sizes.keys());

  const wanted = Math.min(bounds.records, Math.floor((bounds.bytes * sizes.length) / Math.max(1, total)));
  const runs = Math.max(1, Math.floor(wanted / RUN));
  const length = Math.max(1, Math.min(RUN, wanted));
  const picked = new Set<number>();
  for (let k = 0; k < runs; k++) {
    const first = Math.floor((k * sizes.length) / runs);
    for (let index = first; index < Math.min(first + length, sizes.length); index++) picked.add(index);
  }
  for (const indexes of Map.groupBy(sizes.keys(), (index) => sizeClass(sizes[index]?.bytes ?? 0)).values()) {
    const missed = indexes.filter((index) => !picked.has(index));
    const lacking = Math.min(missed.length, PER_SIZE_CLASS - (indexes.length - missed.length));
    let bytes = 0;
    for (let k = 0; k < lacking && (k === 0 || bytes <= bounds.bytes / PER_SIZE_CLASS); k++) {
      if (picked.size >= 2 * bounds.records) break;
      const index = missed[Math.floor((k * missed.length) / lacking)] as number;
      picked.add(index);
      bytes += readable(index);
    }
  }
  return picked;
}

/** The source does not send content that is too large. */
function readableBytes(bytes: number): number {
  return bytes > LARGEST_CONTENT_BYTES ? 0 : bytes;
}

/** The picked sizes, cut where one of the table may lie between two. */
function neighbours(sizes: readonly SampledSize[], picked: ReadonlySet<number>): SampledSize[][] {
  const runs: SampledSize[][] = [];
  for (const [index, size] of sizes.entries()) {
    if (!picked.has(index)) continue;
    const follows = picked.has(index - 1) && sizes[index - 1]?.stratum === size.stratum;
    if (follows) runs.at(-1)?.push(size);
    else runs.push([size]);
  }
  return runs;
}

async function sampledRecord(
  { content, refused }: SourceRow,
  bytes: number,
  chunking: ChunkingOptions,
  texts: string[],
): Promise<SampledRecord> {
  const isBlank = content === null || content.trim() === '';
  const parents = refused !== null || isBlank ? [] : await chunk(content, chunking, yieldNow);
  const children = parents.flatMap((parent) => parent.children);
  texts.push(...children);
  await yieldNow();
  return {
    bytes,
    isSkipped: refused === null && isBlank,
    isRefused: refused !== null,
    parents: parents.length,
    children: children.length,
    tokens: children.reduce((sum, text) => sum + countTokens(text), 0),
    textBytes: [...parents.map(({ text }) => text), ...children].reduce(
      (sum, text) => sum + Buffer.byteLength(text),
      0,
    ),
  };
}
