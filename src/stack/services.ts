import { embeddings } from './embeddings.ts';
import { mariadb } from './mariadb.ts';
import { postgres } from './postgres.ts';
import { postgrest } from './postgrest.ts';
import { qdrant } from './qdrant.ts';
import type { Service, ServiceName } from './service.ts';
import { temporal } from './temporal.ts';

export const services: Readonly<Record<ServiceName, Service>> = {
  temporal,
  mariadb,
  postgres,
  postgrest,
  qdrant,
  embeddings,
};

/** What a whole stack consists of. PostgreSQL comes along as a need of PostgREST, if the stack runs PostgREST. */
export const defaultServices: readonly ServiceName[] = [
  'temporal',
  'mariadb',
  'postgrest',
  'qdrant',
  'embeddings',
];
