import type { ServiceName } from './service.ts';
import type { StackState } from './state.ts';

/** For each of the product's variables that the stack fills: the service and its name for the value. */
const variables = {
  TEMPORAL_ADDRESS: ['temporal', 'address'],
  TEMPORAL_NAMESPACE: ['temporal', 'namespace'],
  TEMPORAL_UI_URL: ['temporal', 'uiUrl'],
  MYSQL_HOST: ['mariadb', 'host'],
  MYSQL_PORT: ['mariadb', 'port'],
  MYSQL_USER: ['mariadb', 'user'],
  MYSQL_PASSWORD: ['mariadb', 'password'],
  MYSQL_DATABASE: ['mariadb', 'database'],
  SUPABASE_URL: ['postgrest', 'url'],
  SUPABASE_KEY: ['postgrest', 'serviceKey'],
  QDRANT_URL: ['qdrant', 'url'],
  QDRANT_API_KEY: ['qdrant', 'apiKey'],
  OPENAI_BASE_URL: ['embeddings', 'baseUrl'],
  OPENAI_API_KEY: ['embeddings', 'apiKey'],
} as const satisfies Record<string, readonly [ServiceName, string]>;

export type StackVariable = keyof typeof variables;

/** The product's settings for a stack; those of services that the stack does not have are left out. */
export type StackEnvironment = Partial<Record<StackVariable, string>>;

/** What a worker or a client needs in its environment to use this stack. Holds passwords. */
export function environment(state: StackState): StackEnvironment {
  const entries = Object.entries(variables).flatMap(([variable, [service, key]]): [string, string][] => {
    const value = state.services[service]?.connection[key];
    return value === undefined ? [] : [[variable, value]];
  });
  return Object.fromEntries(entries);
}
