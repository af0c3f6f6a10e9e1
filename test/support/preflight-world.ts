import { preflight } from '../../src/inquiry/preflight.ts';
import type { PreflightReport } from '../../src/job/inquiry.ts';
import type { JobSpecification } from '../../src/job/specification.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import type { ColumnDescription } from '../../src/source/source.ts';
import { quietAttempt } from './attempt.ts';
import { MemoryEmbedder, MemorySource, MemoryTarget } from './memory.ts';
import { fakeSpecification } from './specification.ts';

/** All that preflight looks at, in memory: twenty rows, and everything is fine until a test changes it. */
export class World {
  readonly source = new MemorySource(100);
  readonly embedder = new MemoryEmbedder();
  readonly target = new MemoryTarget();
  ledger: Ledger | null = { examine: async () => ({ missingMigrations: [] }) } as unknown as Ledger;
  changes: Partial<JobSpecification> = {};

  constructor() {
    for (let id = 1n; id <= 20n; id++) this.source.set(id, `Row ${id} has some words.`);
  }

  /** Changes the table that the job names. */
  table(changes: Partial<JobSpecification['table']>): void {
    this.changes = { table: { ...fakeSpecification().table, ...changes } };
  }

  /** Gives columns other types or collations. */
  async columns(changes: Readonly<Record<string, Partial<ColumnDescription>>>): Promise<void> {
    const { columns } = await this.source.examine(fakeSpecification(this.changes).table);
    this.source.examined = {
      ...this.source.examined,
      columns: columns.map((column) => ({ ...column, ...changes[column.name] })),
    };
  }

  report(): Promise<PreflightReport> {
    return preflight(this, { specification: fakeSpecification(this.changes) }, quietAttempt());
  }
}
