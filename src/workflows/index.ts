export { batch } from './batch.ts';
export { migration } from './migration.ts';
export { partition } from './partition.ts';
