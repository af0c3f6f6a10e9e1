import type { JobSpecification } from '../../src/job/specification.ts';

/** A specification for workflows whose activities are fakes. */
export function fakeSpecification(changes: Partial<JobSpecification> = {}): JobSpecification {
  return {
    source: 'db/t',
    table: {
      database: 'db',
      table: 't',
      idColumn: 'id',
      tenantColumn: null,
      contentColumns: ['content'],
      contentTemplate: null,
      payloadColumns: [],
      filter: null,
    },
    limit: null,
    prune: false,
    collection: {
      name: 'memos',
      model: 'm',
      dimensions: 3,
      bm25: { tokenizer: 'multilingual', language: 'english', k: 1.2, b: 0.75, avg_len: 128 },
      binaryQuantization: false,
    },
    chunking: { parentTokens: 1_024, childTokens: 256, overlapTokens: 32 },
    batchSize: 10,
    concurrency: 2,
    maxRetries: 1,
    heartbeatIntervalMs: 2_000,
    batchTimeoutMs: 600_000,
    patienceMs: 60_000,
    ...changes,
  };
}
