import { BELOW_ALL_IDS, LARGEST_ID } from '../../src/planning/plan.ts';
import type { ReconcileInput } from '../../src/reconcile/reconcile.ts';

/** All records of a table, pruned, in chunks of a few words and vectors of one number. */
export const RECONCILE_INPUT: ReconcileInput = {
  owner: { collection: 'memory', source: 'db/t' },
  table: {
    database: 'db',
    table: 't',
    idColumn: 'id',
    tenantColumn: 'tenant',
    contentColumns: ['content'],
    contentTemplate: null,
    payloadColumns: [],
    filter: null,
  },
  range: { after: BELOW_ALL_IDS, upTo: LARGEST_ID },
  pointsUpTo: LARGEST_ID,
  chunking: { parentTokens: 16, childTokens: 8, overlapTokens: 2 },
  model: { model: 'm', dimensions: 1 },
  bm25: { tokenizer: 'multilingual', language: 'english', k: 1.2, b: 0.75, avg_len: 128 },
  jobId: '00000000-0000-4000-8000-000000000000',
  prune: true,
};
