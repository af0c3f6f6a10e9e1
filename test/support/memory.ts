import { Fault } from '../../src/errors.ts';
import type { Embedder, Embeddings, EmbeddingModel, Pace, Vector } from '../../src/embedding/embedder.ts';
import type {
  ContentSize,
  IdRange,
  PageBounds,
  Source,
  SourceExamination,
  SourcePage,
  SourceRow,
  TableSpec,
} from '../../src/source/source.ts';
import { isUnfinished, unfinishedChecksum } from '../../src/target/payload.ts';
import type {
  Point,
  PointOwner,
  PointPage,
  PointWrite,
  ScanCursor,
  SeenPoint,
  FoundCollection,
  StoredPoint,
  Target,
  TargetExamination,
} from '../../src/target/target.ts';

/** For unit tests only: what the operation needs of its services, in memory, with faults on demand. */
export interface Interruption {
  /** Called before and after every effect; throws to cut the run there. */
  (): void;
}

export class MemorySource implements Source {
  readonly rows = new Map<bigint, SourceRow>();
  readonly #pageRows: number;

  constructor(pageRows = 3) {
    this.#pageRows = pageRows;
  }

  set(id: bigint, content: string | null, tenant = 'acme'): void {
    this.rows.set(id, { id, tenant, content, refused: null, copied: {} });
  }

  async ids(_table: TableSpec, range: IdRange, limit: number): Promise<bigint[]> {
    return this.#within(range).slice(0, limit);
  }

  async count(_table: TableSpec, range: IdRange): Promise<number> {
    return this.#within(range).length;
  }

  async page(_table: TableSpec, range: IdRange, bounds: PageBounds): Promise<SourcePage> {
    const ids = this.#within(range);
    const [next] = ids;
    const bytes = next === undefined ? 0 : this.#bytes(next);
    if (bytes > (bounds.deferAbove ?? Infinity)) return { rows: [], upTo: range.after, deferredBytes: bytes };
    const rows: SourceRow[] = [];
    let total = 0;
    for (const id of ids.slice(0, Math.min(this.#pageRows, bounds.maxRows))) {
      total += this.#bytes(id);
      if (rows.length > 0 && total > bounds.maxBytes) break;
      rows.push(this.rows.get(id) as SourceRow);
    }
    return { rows, upTo: ids.length > rows.length ? (rows.at(-1)?.id ?? range.upTo) : range.upTo };
  }

  async existing(_table: TableSpec, ids: readonly bigint[]): Promise<Set<bigint>> {
    return new Set(ids.filter((id) => this.rows.has(id)));
  }

  async sizes(_table: TableSpec, range: IdRange, limit: number): Promise<ContentSize[]> {
    return this.#within(range)
      .slice(0, limit)
      .map((id) => {
        const content = this.rows.get(id)?.content ?? null;
        return { id, bytes: content === null ? null : Buffer.byteLength(content) };
      });
  }

  /** What `examine` says beyond the rows; changed by tests. */
  examined: Partial<SourceExamination> = {};

  async examine(table: TableSpec): Promise<SourceExamination> {
    const ids = this.#within({ after: -(2n ** 63n), upTo: 2n ** 63n - 1n });
    const names = [table.idColumn, table.tenantColumn ?? [], table.contentColumns, table.payloadColumns].flat(
      2,
    );
    return {
      server: 'MariaDB 10.11.6',
      isSupported: true,
      isEncrypted: true,
      isLocal: false,
      rowsPerSecond: null,
      canWrite: false,
      relation: 'table',
      columns: names.map((name) => ({
        name,
        type: name === table.idColumn ? 'bigint(20)' : 'varchar(255)',
        isNullable: name !== table.idColumn,
        collation: name === table.idColumn ? null : 'utf8mb4_unicode_ci',
      })),
      missingColumns: [],
      idIndex: 'unique',
      hasNullIds: false,
      hasDuplicateIds: false,
      smallestId: ids[0] ?? null,
      largestId: ids.at(-1) ?? null,
      rows: ids.length,
      ...this.examined,
    };
  }

  async close(): Promise<void> {}

  #bytes(id: bigint): number {
    return Buffer.byteLength(this.rows.get(id)?.content ?? '');
  }

  #within({ after, upTo }: IdRange): bigint[] {
    return [...this.rows.keys()].filter((id) => id > after && id <= upTo).sort((a, b) => (a < b ? -1 : 1));
  }
}

/** A vector that tells its text apart: here simply its code units. */
export function vectorOf(text: string): Vector {
  return Float32Array.from(text, (character) => character.codePointAt(0) ?? 0);
}

export class MemoryEmbedder implements Embedder {
  readonly embedded: string[] = [];
  readonly requests: string[][] = [];
  refuses: (text: string) => boolean = () => false;
  interrupt: Interruption = () => undefined;
  readonly #perRequest: number;

  constructor(perRequest = 4) {
    this.#perRequest = perRequest;
  }

  pack(texts: readonly string[]): number[][] {
    const indexes = texts.map((_, index) => index);
    return Array.from({ length: Math.ceil(texts.length / this.#perRequest) }, (_, k) =>
      indexes.slice(k * this.#perRequest, (k + 1) * this.#perRequest),
    );
  }

  limits: Pace = { requestsPerMinute: null, tokensPerMinute: null };

  pace(): Pace {
    return this.limits;
  }

  async embed(
    _model: EmbeddingModel,
    texts: readonly string[],
    { beforePaying }: { beforePaying?: () => Promise<void> },
  ): Promise<Embeddings> {
    this.interrupt();
    await beforePaying?.();
    this.requests.push([...texts]);
    if (texts.some((text) => this.refuses(text))) throw new Fault('embedding_refused');
    this.embedded.push(...texts);
    this.interrupt();
    return { vectors: texts.map(vectorOf), tokens: texts.length };
  }
}

/** A point as kept: its payload, its vector, and what others keep in it. */
export interface MemoryPoint {
  point: Point;
  checksum: string;
  vector: Vector | null;
  collectionIds: unknown;
}

function kept(vector: ArrayLike<number> | null): Vector | null {
  return vector === null ? null : Float32Array.from(vector);
}

export class MemoryTarget implements Target {
  readonly points = new Map<string, MemoryPoint>();
  interrupt: Interruption = () => undefined;

  async prepare(): Promise<{ collection: string; notes: readonly string[] }> {
    return { collection: 'memory', notes: [] };
  }

  /** Pages of two points, so that every test sees several. */
  async scan(
    _owner: PointOwner,
    range: IdRange,
    _columns: readonly string[],
    cursor: ScanCursor | null,
  ): Promise<PointPage> {
    const all = [...this.points.values()]
      .filter(({ point }) => point.recordId > range.after && point.recordId <= range.upTo)
      .filter(({ point }) => cursor === null || point.id >= String(cursor))
      .sort((a, b) => (a.point.id < b.point.id ? -1 : 1));
    const heads = all.slice(0, 2).map(({ point, checksum, collectionIds }) => ({
      id: point.id,
      recordId: point.recordId,
      type: point.type,
      checksum: checksum === '' ? null : checksum,
      isUnfinished: isUnfinished(checksum === '' ? null : checksum),
      pointCount: point.pointCount,
      tenant: point.tenant,
      copied: point.copied,
      collectionIds,
    }));
    return { heads, next: all[2]?.point.id ?? null };
  }

  async texts(_collection: string, ids: readonly string[]): Promise<Map<string, string>> {
    return new Map(ids.map((id) => [id, this.points.get(id)?.point.text ?? '']));
  }

  async vectors(_collection: string, ids: readonly string[]): Promise<Map<string, Vector>> {
    return new Map(
      ids.flatMap((id) => {
        const vector = this.points.get(id)?.vector ?? null;
        return vector === null ? [] : [[id, vector]];
      }),
    );
  }

  async write(
    _owner: PointOwner,
    _jobId: string,
    _bm25: unknown,
    writes: readonly PointWrite[],
  ): Promise<void> {
    for (const write of writes) {
      const stored = this.points.get(write.point.id);
      this.interrupt();
      const begun = unfinishedChecksum(write.point.checksum);
      const known = write.action === 'create' ? [] : [write.point.checksum, write.seen, begun];
      if (!this.#isUntouched(write.point.id, known)) continue;
      if (write.action === 'create') {
        const { point, vector, collectionIds } = write;
        this.points.set(point.id, { point, checksum: point.checksum, vector: kept(vector), collectionIds });
      } else if (stored !== undefined) {
        if (write.action === 'replace') {
          // As the adapter does it: mark, change the vectors, describe; a crash may come between any two.
          stored.checksum = begun;
          this.interrupt();
          stored.vector = kept(write.vector);
          this.interrupt();
        }
        stored.point = write.point;
        stored.checksum = write.point.checksum;
      }
      this.interrupt();
    }
  }

  async delete(_collection: string, seen: readonly SeenPoint[]): Promise<void> {
    for (const { id, checksum } of seen) {
      this.interrupt();
      if (this.#isUntouched(id, [checksum])) this.points.delete(id);
    }
  }

  /** Whether a point is as somebody saw it, or has no checksum. */
  #isUntouched(id: string, checksums: readonly (string | null)[]): boolean {
    const { checksum = '' } = this.points.get(id) ?? {};
    return checksum === '' || checksums.includes(checksum);
  }

  async search(): Promise<[]> {
    return [];
  }

  async searchParents(): Promise<[]> {
    return [];
  }

  async record(): Promise<StoredPoint[]> {
    throw new Error('not needed in unit tests');
  }

  /** What `examine` says beyond the points; changed by tests. */
  examined: Partial<TargetExamination> = {};

  async find(): Promise<FoundCollection> {
    const { collection, isAlias, differences, vectorDifferences } = await this.examine();
    return { collection, isAlias, differences, vectorDifferences };
  }

  async examine(): Promise<TargetExamination> {
    return {
      version: '1.16.2',
      isSupported: true,
      collection: 'memory',
      isAlias: true,
      differences: [],
      vectorDifferences: [],
      missingIndexes: [],
      hasOrigin: true,
      size: this.points.size,
      points: { own: this.points.size, others: 0, foreign: 0 },
      canWrite: true,
      limits: [],
      capacity: { memoryBytes: 16e9, diskBytes: 100e9 },
      ...this.examined,
    };
  }
}
