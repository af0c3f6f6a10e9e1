import { readFileSync } from 'node:fs';
import { CommanderError, type Command } from 'commander';
import { DEFAULT_ADDRESS } from '../client/connect.ts';
import {
  ALL_SETTINGS,
  readEnvironment,
  temporalConfig,
  withRunningTemporal,
  type Environment,
} from '../config.ts';

/** What `ferry --version` says: null where a setting is missing, `malformed` where it cannot be used. No secrets. */
export interface Version {
  readonly version: string;
  readonly node: string;
  /** Which servers these are; a sentence instead where settings cannot be read. */
  readonly servers: string;
  readonly temporal: { readonly address: string; readonly namespace: string } | null;
  readonly source: {
    readonly host: string | null;
    readonly database: string | null;
    readonly table: string | null;
  };
  readonly qdrant: { readonly url: string | null; readonly collection: string | null };
  readonly embedding: { readonly baseUrl: string | null; readonly model: string | null };
  readonly ledger: { readonly url: string | null };
}

/** Adds `--version`, also with --json and --stack. It connects to nothing, and malformed settings do not disturb it. */
export function withVersion(program: Command): Command {
  return program
    .option('--version', 'print the version and the servers that it talks to')
    .on('option:version', () => {
      const flags = new Set(process.argv.slice(2));
      const version = describeVersion(flags.has('--stack'));
      console.log(flags.has('--json') ? JSON.stringify(version) : versionLines(version));
      throw new CommanderError(0, 'ferry.version', '');
    });
}

/** @param useStack the local stack whatever the environment says */
export function describeVersion(useStack = false): Version {
  const { environment, servers } = settings(useStack);
  return {
    version: packageVersion(),
    node: process.version,
    servers,
    temporal: temporal(environment),
    source: {
      host: host(environment),
      database: value(environment, 'MYSQL_DATABASE'),
      table: value(environment, 'MYSQL_TABLE'),
    },
    qdrant: { url: url(environment, 'QDRANT_URL'), collection: value(environment, 'QDRANT_COLLECTION_NAME') },
    embedding: {
      baseUrl: url(environment, 'OPENAI_BASE_URL'),
      model: value(environment, 'OPENAI_EMBEDDING_MODEL'),
    },
    ledger: { url: url(environment, 'SUPABASE_URL') },
  };
}

/** For people, a line each. */
export function versionLines({ temporal, source, qdrant, embedding, ledger, ...own }: Version): string {
  const unset = (text: string | null): string => text ?? 'not set';
  return [
    `vector-ferry ${own.version}, Node ${own.node} (${own.servers})`,
    `  Temporal   ${temporal === null ? MALFORMED : `${temporal.address}, namespace ${temporal.namespace}`}`,
    `  source     ${unset(source.host)}, ${tableOf(source)}`,
    `  Qdrant     ${unset(qdrant.url)}, collection ${unset(qdrant.collection)}`,
    `  embedding  ${unset(embedding.baseUrl)}, model ${unset(embedding.model)}`,
    `  Supabase   ${ledger.url ?? 'no ledger'}`,
  ].join('\n');
}

function tableOf({ database, table }: Version['source']): string {
  if (table?.includes('.') === true) return `table ${table}`;
  return database === null ? `database not set, table ${table}` : `table ${database}.${table}`;
}

const MALFORMED = 'malformed';

function settings(useStack: boolean): { environment: Environment; servers: string } {
  try {
    const environment = readEnvironment({ useStack });
    if (environment.isStack) return { environment, servers: 'the local stack' };
    const names = ['MYSQL_HOST', 'QDRANT_URL', 'OPENAI_API_KEY', 'TEMPORAL_ADDRESS'];
    const isConfigured = names.some((name) => environment.values[name] !== undefined);
    const servers = isConfigured
      ? 'the configured servers'
      : 'nothing is configured, and no local stack runs';
    return { environment, servers };
  } catch (error) {
    const servers = error instanceof Error ? error.message.replace(/\.$/, '') : 'settings cannot be read';
    return { environment: { values: {}, warnings: [], isStack: false }, servers };
  }
}

function temporal(environment: Environment): Version['temporal'] {
  try {
    const { connectionOptions, namespace } = temporalConfig(withRunningTemporal(environment));
    return { address: connectionOptions.address ?? DEFAULT_ADDRESS, namespace };
  } catch {
    return null;
  }
}

/** Settings that are shown; none of them is a secret. */
type Shown = keyof Pick<
  typeof ALL_SETTINGS.shape,
  | 'MYSQL_HOST'
  | 'MYSQL_DATABASE'
  | 'MYSQL_TABLE'
  | 'OPENAI_BASE_URL'
  | 'OPENAI_EMBEDDING_MODEL'
  | 'QDRANT_COLLECTION_NAME'
  | 'QDRANT_URL'
  | 'SUPABASE_URL'
>;

/** A setting or its default. What does not parse is not shown: a key may stand in the wrong line. */
function value({ values }: Environment, name: Shown): string | null {
  const parsed = ALL_SETTINGS.shape[name].safeParse(values[name]);
  if (parsed.success) return parsed.data === undefined ? null : String(parsed.data);
  return values[name] === undefined ? null : MALFORMED;
}

/** A whole URL in this place may hold a password. */
function host(environment: Environment): string | null {
  const name = value(environment, 'MYSQL_HOST');
  return name === null || /^[\w.:%\[\]-]+$/.test(name) ? name : MALFORMED;
}

/** Without a user, a password and a query, which may hold secrets. */
function url(environment: Environment, name: Shown): string | null {
  const text = value(environment, name);
  if (text === null || !URL.canParse(text)) return text === null ? null : MALFORMED;
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname === '/' ? '' : pathname}`;
}

function packageVersion(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
