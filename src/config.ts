import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { priceOf } from './embedding/price.ts';
import { embeddingSettings } from './embedding/settings.ts';
import { encryptionSettings } from './encryption/payload-keys.ts';
import { InputError } from './errors.ts';
import type { JobSpecification } from './job/specification.ts';
import { ledgerSettings } from './ledger/settings.ts';
import { checkAll, collect, lacksSettings, SettingsError } from './setting-problems.ts';
import { parse } from './parse-settings.ts';
import { clientSettings, jobSettings, workerSettings } from './settings.ts';
import { sourceSettings } from './source/settings.ts';
import { sourceName, tableSettings, tableSpec } from './source/table-settings.ts';
import { StackProblem } from './stack/problem.ts';
import { isAlive } from './stack/process-table.ts';
import { environment as stackEnvironment, type StackEnvironment } from './stack/stack-environment.ts';
import { readState, stackDir } from './stack/state.ts';
import { bm25Options, collectionSettings, targetSettings } from './target/settings.ts';
import { isOfTemporalServer, TEMPORAL_NAMES, temporalConfig } from './temporal-config.ts';

export { temporalConfig, temporalUiUrl, type TemporalConfig } from './temporal-config.ts';

/** The variables that say where the product works; with one of them set, a running stack is not used by itself. */
const PLACES = ['MYSQL_HOST', 'QDRANT_URL', 'OPENAI_API_KEY', 'TEMPORAL_ADDRESS'];

/** Read by Temporal's library and the stack; listed so that near-misses of them are seen. */
const OTHER_NAMES = [...TEMPORAL_NAMES, 'FERRY_STACK_DIR'];

/**
 * What the local stack says of its own servers, and what would lead elsewhere: addresses, logins, TLS, whom to bill.
 * Nothing of another place may mix with the stack: no key, certificate or ledger of production. MYSQL_DATABASE is not
 * one of them: a stack that has a database overrides it, and jobs need it also where it has none.
 */
const STACK_SUPPLIES = new Set<string>([
  ...['MYSQL_HOST', 'MYSQL_PORT', 'MYSQL_USER', 'MYSQL_PASSWORD', 'MYSQL_TLS', 'MYSQL_CA'],
  ...['QDRANT_URL', 'QDRANT_API_KEY'],
  ...['OPENAI_API_KEY', 'OPENAI_BASE_URL', 'OPENAI_ORG_ID', 'OPENAI_PROJECT_ID'],
  ...Object.keys(ledgerSettings.shape),
]);

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

const priceSettings = embeddingSettings.pick({
  OPENAI_EMBEDDING_MODEL: true,
  OPENAI_USD_PER_MILLION_TOKENS: true,
});

const nameSettings = specificationSettings.pick({ MYSQL_TABLE: true, QDRANT_COLLECTION_NAME: true });

/** Every setting of the product, by the name of its environment variable. */
export const ALL_SETTINGS = z.object({
  ...serviceSettings.shape,
  ...ledgerSettings.shape,
  ...specificationSettings.shape,
  ...workerSettings.shape,
  ...clientSettings.shape,
  ...encryptionSettings.shape,
});

/** The settings' raw values, and where they come from. */
export interface Environment {
  readonly values: Readonly<Record<string, string>>;
  /** Sentences for the operator: names that look like misspelt ones of ours. */
  readonly warnings: readonly string[];
  /** Whether the servers are those of the local stack. */
  readonly isStack: boolean;
  /** Whether Temporal is the local stack's while the other servers are not. @default false */
  readonly isTemporalOfStack?: boolean;
}

/**
 * Collects the raw values: environment before ./.env. Where neither says where to work, or with `useStack`, addresses
 * and secrets are those of the running local stack, and all else is as it is set. An empty value counts as unset.
 *
 * @throws InputError if ./.env cannot be read, or `useStack` is set and no stack is running
 */
export function readEnvironment(options: { useStack?: boolean } = {}): Environment {
  const values = Object.fromEntries(
    Object.entries({ ...settingsFile(), ...process.env }).flatMap(([name, value]) =>
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
  const kept = Object.entries(values).filter(
    ([name]) => !STACK_SUPPLIES.has(name) && !isOfTemporalServer(name),
  );
  return { values: { ...Object.fromEntries(kept), ...stack }, warnings, isStack: true };
}

/** Addresses and secrets of the four services. */
export function serviceConfig(
  environment: Environment,
): z.infer<typeof serviceSettings> & z.infer<typeof ledgerSettings> {
  const services = collect(() => parse(serviceSettings, environment.values));
  const ledger = collect(() => ledgerConfig(environment));
  if (services instanceof InputError || ledger instanceof InputError) {
    const problems = [services, ledger].flatMap((part) => (part instanceof InputError ? part.problems : []));
    throw new SettingsError(problems);
  }
  return { ...services, ...ledger };
}

/** All that a worker needs, at once. @throws InputError naming every setting that is missing or malformed */
export function checkWorker(environment: Environment): void {
  checkAll([
    () => serviceConfig(environment),
    () => temporalConfig(environment),
    () => workerConfig(environment),
  ]);
}

/**
 * All that a command about a job needs, at once. A machine that only starts jobs needs no servers but Temporal; where
 * that is not set either, whoever begins is told all that is missing, and not of one half after the other.
 *
 * @param specify what the command makes of the settings
 */
export function checkJob(environment: Environment, specify: (environment: Environment) => unknown): void {
  const checks = [() => specify(environment), () => temporalConfig(environment)];
  const isBeginning = environment.values['TEMPORAL_ADDRESS'] === undefined && lacksSettings(checks);
  checkAll(isBeginning ? [...checks, () => checkWorker(environment)] : checks);
}

/** All that a command about a job needs without Temporal, at once. @param specify as {@link checkJob} */
export function checkLocal(environment: Environment, specify: (environment: Environment) => unknown): void {
  checkAll([() => specify(environment), () => serviceConfig(environment)]);
}

/**
 * All that a job and its worker in one process need, at once.
 *
 * @param specify as {@link checkJob}
 * @param consent throws InputError if nobody has agreed, or could be asked
 */
export function checkRun(
  environment: Environment,
  specify: (environment: Environment) => unknown,
  consent: () => void,
): void {
  checkAll([() => checkJob(environment, specify), () => checkWorker(environment), consent]);
}

/** How a worker process behaves. */
export function workerConfig({ values }: Environment): z.infer<typeof workerSettings> {
  return parse(workerSettings, values);
}

/** How to reach the ledger; `SUPABASE_URL` is undefined where there is none. */
export function ledgerConfig({ values }: Environment): z.infer<typeof ledgerSettings> {
  return parse(ledgerSettings, values);
}

/** US dollars for a million tokens of the model that new jobs embed with; null if no price is known. */
export function usdPerMillionTokens({ values }: Environment): number | null {
  return priceOf(parse(priceSettings, values));
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
  const flagged = {
    ...(flags.batchSize === undefined ? {} : { BATCH_SIZE: flags.batchSize }),
    ...(flags.concurrency === undefined ? {} : { MAX_WORKERS: flags.concurrency }),
  };
  checkAll([
    () => parse(specificationSettings, { ...values, ...flagged }, flagged),
    () => checkChunking(values),
  ]);
  const settings = parse(specificationSettings, { ...values, ...flagged });
  const table = tableSpec(settings);
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

/** Sizes that fit on their own may not fit together; one that does not is reported by itself. */
function checkChunking(values: Environment['values']): void {
  const { CHUNK_PARENT_TOKENS, CHUNK_CHILD_TOKENS, CHUNK_OVERLAP_TOKENS } = jobSettings.shape;
  const parent = CHUNK_PARENT_TOKENS.safeParse(values['CHUNK_PARENT_TOKENS']).data ?? Infinity;
  const child = CHUNK_CHILD_TOKENS.safeParse(values['CHUNK_CHILD_TOKENS']).data;
  const overlap = CHUNK_OVERLAP_TOKENS.safeParse(values['CHUNK_OVERLAP_TOKENS']).data ?? -1;
  const problems = [
    ...(child !== undefined && child > parent
      ? [`CHUNK_CHILD_TOKENS: expected at most CHUNK_PARENT_TOKENS, which is ${parent}; it is ${child}.`]
      : []),
    ...(child !== undefined && overlap >= child
      ? [`CHUNK_OVERLAP_TOKENS: expected less than CHUNK_CHILD_TOKENS, which is ${child}; it is ${overlap}.`]
      : []),
  ];
  if (problems.length > 0) throw new SettingsError(problems);
}

function settingsFile(): Record<string, string | undefined> {
  const file = resolve('.env');
  if (!existsSync(file)) return {};
  try {
    return parseEnv(readFileSync(file, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InputError([
      `${file}: expected a readable file of settings (${code}); correct it, or remove it and set the environment.`,
    ]);
  }
}

/** What every command but `ferry run` does where no Temporal is named: it uses the local stack's if that runs. */
export function withRunningTemporal(environment: Environment): Environment {
  if (temporalConfig(environment).connectionOptions.address !== undefined) return environment;
  const state = knownStack();
  const isRunning = state?.services.temporal?.processes.every(isAlive) ?? false;
  return state !== undefined && isRunning
    ? withTemporalOf(environment, stackEnvironment(state))
    : environment;
}

/** The settings with a stack's Temporal. @param stack what the stack would have in the environment */
export function withTemporalOf(environment: Environment, stack: StackEnvironment): Environment {
  // No key, certificate or profile for another server may be sent to it.
  const isTemporal = ([name]: [string, unknown]): boolean => isOfTemporalServer(name);
  const own = Object.entries(environment.values).filter((entry) => !isTemporal(entry));
  const values = Object.fromEntries([...own, ...Object.entries(stack).filter(isTemporal)]);
  return { ...environment, values, isTemporalOfStack: true };
}

/** What the local stack would have in the environment, or undefined unless all of it is running. */
function runningStackEnvironment(): Record<string, string> | undefined {
  const state = knownStack();
  const services = Object.values(state?.services ?? {});
  const isRunning = services.length > 0 && services.every(({ processes }) => processes.every(isAlive));
  return state !== undefined && isRunning ? stackEnvironment(state) : undefined;
}

function knownStack(): ReturnType<typeof readState> {
  let dir: string;
  try {
    dir = stackDir();
  } catch (error) {
    // Without HOME (in a container, say) there is no place where a stack could be, and most commands need none.
    if (error instanceof StackProblem) return undefined;
    throw error;
  }
  try {
    return readState(dir);
  } catch (error) {
    if (error instanceof StackProblem) throw new InputError(error.problems);
    throw error;
  }
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
