export { batch } from './batch.ts';
export { inspect, plan, preflight, search } from './inquiries.ts';
export { migration } from './migration.ts';
export { partition } from './partition.ts';
