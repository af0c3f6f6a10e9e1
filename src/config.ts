import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { embeddingSettings } from './embedding/settings.ts';
import { InputError } from './errors.ts';
import type { JobSpecification } from './job/specification.ts';
import { ledgerSettings } from './ledger/settings.ts';
import { jobSettings, workerSettings } from './settings.ts';
import { sourceSettings } from './source/settings.ts';
import { sourceName, tableSettings, tableSpec } from './source/table-settings.ts';
import { isAlive } from './stack/process-table.ts';
import { environment as stackEnvironment } from './stack/stack-environment.ts';
import { readState, stackDir } from './stack/state.ts';
import { bm25Options, collectionSettings, targetSettings } from './target/settings.ts';

/** The variables that say where the product works; with one of them set, a running stack is not used by itself. */
const PLACES = ['MYSQL_HOST', 'QDRANT_URL', 'OPENAI_API_KEY', 'TEMPORAL_ADDRESS'];

/** Read by @temporalio/envconfig and the stack; listed so that near-misses of them are seen. */
const OTHER_NAMES = [
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'TEMPORAL_PROFILE',
  'TEMPORAL_CONFIG_FILE',
  'TEMPORAL_TLS',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
  'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION',
  'TEMPORAL_CODEC_ENDPOINT',
  'TEMPORAL_CODEC_AUTH',
  'TEMPORAL_TLS_SERVER_NAME',
  'FERRY_STACK_DIR',
];

const serviceSettings = z.object({
  ...sourceSettings.shape,
  ...targetSettings.shape,
  ...embeddingSettings.shape,
});

const specificationSettings = z.object({
  ...sourceSettings.pick({ MYSQL_DATABASE: true }).shape,
  ...tableSettings.shape,
  ...collectionSettings.shape,
  ...embeddingSettings.pick({ OPENAI_EMBEDDING_MODEL: true, OPENAI_EMBEDDING_DIMENSIONS: true }).shape,
  ...jobSettings.shape,
});

const nameSettings = specificationSettings.pick({ MYSQL_TABLE: true, QDRANT_COLLECTION_NAME: true });

/** Every setting of the product, by the name of its environment variable. */
export const ALL_SETTINGS = z.object({
  ...serviceSettings.shape,
  ...ledgerSettings.shape,
  ...specificationSettings.shape,
  ...workerSettings.shape,
});

/** The settings' raw values, and where they come from. */
export interface Environment {
  readonly values: Readonly<Record<string, string>>;
  /** Sentences for the operator: names that look like misspelt ones of ours. */
  readonly warnings: readonly string[];
  /** Whether the servers are those of the local stack. */
  readonly isStack: boolean;
}

/** Where a client of Temporal connects to. */
export type TemporalConfig = Required<ClientConnectConfig>;

/**
 * Collects the raw values: environment before ./.env. Where neither says where to work, or with `useStack`, the
 * servers are those of the running local stack. An empty value counts as unset.
 *
 * @throws InputError if `useStack` is set and no stack is running
 */
export function readEnvironment(options: { useStack?: boolean } = {}): Environment {
  const file = resolve('.env');
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  const values = Object.fromEntries(
    Object.entries({ ...fromFile, ...process.env }).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[name, value] as const],
    ),
  );
  const warnings = nearMisses(Object.keys(values));
  const namesPlaces = PLACES.some((name) => values[name] !== undefined);
  if (namesPlaces && options.useStack !== true) return { values, warnings, isStack: false };
  const stack = runningStackEnvironment();
  if (stack === undefined) {
    if (options.useStack === true) {
      throw new InputError(['--stack: no local stack is running; start one with `ferry stack up`.']);
    }
    return { values, warnings, isStack: false };
  }
  // Nothing of another place may mix with the stack: no key, TLS or ledger of production.
  const places = new Set([...Object.keys(serviceSettings.shape), ...Object.keys(ledgerSettings.shape)]);
  const kept = Object.entries(values).filter(
    ([name]) => name in specificationSettings.shape || !(places.has(name) || name.startsWith('TEMPORAL_')),
  );
  return { values: { ...Object.fromEntries(kept), ...stack }, warnings, isStack: true };
}

/** Addresses and secrets of the four services. */
export function serviceConfig(
  environment: Environment,
): z.infer<typeof serviceSettings> & z.infer<typeof ledgerSettings> {
  const services = attempt(() => parse(serviceSettings, environment.values));
  const ledger = attempt(() => ledgerConfig(environment));
  if (services instanceof InputError || ledger instanceof InputError) {
    const problems = [services, ledger].flatMap((part) => (part instanceof InputError ? part.problems : []));
    throw new InputError(problems);
  }
  return { ...services, ...ledger };
}

/** How a worker process behaves. */
export function workerConfig({ values }: Environment): z.infer<typeof workerSettings> {
  return parse(workerSettings, values);
}

/** How to reach the ledger; `SUPABASE_URL` is undefined where there is none. */
export function ledgerConfig({ values }: Environment): z.infer<typeof ledgerSettings> {
  return parse(ledgerSettings, values);
}

/** Address, TLS and namespace of Temporal: its own variables and temporal.toml, as its CLI reads them. */
export function temporalConfig({ values, isStack }: Environment): TemporalConfig {
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig({
      overrideEnvVars: { ...values },
      // A profile with TLS or a key for another server would be merged into the connection to the stack.
      disableFile: isStack,
    });
    return { connectionOptions, namespace: namespace ?? 'default' };
  } catch (error) {
    throw new InputError([`TEMPORAL_*: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

/** `<table>-to-<collection as asked>`: the name of a job that has none. */
export function defaultJobName({ values }: Environment): string {
  const { MYSQL_TABLE, QDRANT_COLLECTION_NAME } = parse(nameSettings, values);
  return `${MYSQL_TABLE}-to-${QDRANT_COLLECTION_NAME}`;
}

/** What `ferry start` may ask for beyond the settings; flags win over the environment. */
export interface StartFlags {
  readonly limit?: number | undefined;
  readonly prune?: boolean | undefined;
  /** Sets BATCH_SIZE. */
  readonly batchSize?: string | undefined;
  /** Sets MAX_WORKERS. */
  readonly concurrency?: string | undefined;
}

/**
 * What a job is to do.
 *
 * @throws InputError naming every setting that is missing or malformed
 */
export function jobSpecification({ values }: Environment, flags: StartFlags): JobSpecification {
  const settings = parse(specificationSettings, {
    ...values,
    ...(flags.batchSize === undefined ? {} : { BATCH_SIZE: flags.batchSize }),
    ...(flags.concurrency === undefined ? {} : { MAX_WORKERS: flags.concurrency }),
  });
  const table = tableSpec(settings);
  const problems = [];
  if (settings.CHUNK_CHILD_TOKENS > settings.CHUNK_PARENT_TOKENS) {
    problems.push('CHUNK_CHILD_TOKENS: expected at most CHUNK_PARENT_TOKENS.');
  }
  if (settings.CHUNK_OVERLAP_TOKENS >= settings.CHUNK_CHILD_TOKENS) {
    problems.push('CHUNK_OVERLAP_TOKENS: expected less than CHUNK_CHILD_TOKENS.');
  }
  if (problems.length > 0) throw new InputError(problems);
  return {
    source: sourceName(settings, table),
    table,
    limit: flags.limit ?? null,
    prune: flags.prune ?? false,
    collection: {
      name: settings.QDRANT_COLLECTION_NAME,
      model: settings.OPENAI_EMBEDDING_MODEL,
      dimensions: settings.OPENAI_EMBEDDING_DIMENSIONS,
      bm25: bm25Options(settings),
      binaryQuantization: settings.QDRANT_BINARY_QUANTIZATION,
    },
    chunking: {
      parentTokens: settings.CHUNK_PARENT_TOKENS,
      childTokens: settings.CHUNK_CHILD_TOKENS,
      overlapTokens: settings.CHUNK_OVERLAP_TOKENS,
    },
    batchSize: settings.BATCH_SIZE,
    concurrency: settings.MAX_WORKERS,
    maxRetries: settings.MAX_RETRIES,
    heartbeatIntervalMs: settings.WORKER_HEARTBEAT_INTERVAL * 1_000,
    batchTimeoutMs: settings.BATCH_TIMEOUT_MINUTES * 60_000,
    patienceMs: settings.PATIENCE_HOURS * 3_600_000,
  };
}

/** The result, or the problems as a value, so that those of several parts are reported at once. */
function attempt<T>(read: () => T): T | InputError {
  try {
    return read();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
}

function parse<T extends z.ZodObject>(schema: T, values: Readonly<Record<string, string>>): z.infer<T> {
  const own = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])),
  );
  const parsed = schema.safeParse(own);
  if (parsed.success) return parsed.data;
  throw new InputError(
    parsed.error.issues.map((issue) => {
      const name = issue.path.join('.');
      const state = own[name] === undefined ? 'is not set; ' : '';
      return `${name}: ${state}${issue.message}.`;
    }),
  );
}

/** What the local stack would have in the environment, or undefined unless all of it is running. */
function runningStackEnvironment(): Record<string, string> | undefined {
  const state = readState(stackDir());
  const services = Object.values(state?.services ?? {});
  const isRunning = services.length > 0 && services.every(({ processes }) => processes.every(isAlive));
  return state !== undefined && isRunning ? stackEnvironment(state) : undefined;
}

/** The file may be shared with another application: unknown names are ignored, near-misses of ours warned about. */
function nearMisses(names: readonly string[]): string[] {
  const ours = [...Object.keys(ALL_SETTINGS.shape), ...OTHER_NAMES];
  const known = new Set(ours);
  return names.flatMap((name) => {
    if (known.has(name) || name.length < 6) return [];
    const meant = ours.find((own) => distance(own, name.toUpperCase()) <= 2);
    return meant === undefined ? [] : [`${name} is not a setting of Vector Ferry; did you mean ${meant}?`];
  });
}
