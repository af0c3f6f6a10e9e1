/** What a worker knows that was built before there were inquiries. */
export { batch } from '../../src/workflows/batch.ts';
export { migration } from '../../src/workflows/migration.ts';
export { partition } from '../../src/workflows/partition.ts';
