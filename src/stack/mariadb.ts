import { existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync, chownSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { databaseAccount } from './account.ts';
import { unpackDebianPackages } from './apt.ts';
import { cached, isCached } from './cache.ts';
import { runCommand, versionOf } from './command.ts';
import { execInContainer, runContainer } from './docker.ts';
import { findProgram, serviceEnvironment } from './environment.ts';
import { makeOwnedFolder, randomSecret } from './data-folder.ts';
import { spawnProcess, stopProcesses, untilHealthy } from './process.ts';
import { parseAddress, programOf, type Instance, type Resolution, type Service } from './service.ts';

const versionLine = /Ver (\d+\.\d+\.\d+)-MariaDB/;
const cacheKey = 'mariadb';
const user = 'ferry';
const database = 'ferry';

const settings = [
  '--skip-name-resolve',
  '--skip-log-bin',
  '--max-connect-errors=1000000',
  '--innodb-flush-log-at-trx-commit=1',
  '--innodb-buffer-pool-size=128M',
  '--max-allowed-packet=64M',
  '--character-set-server=utf8mb4',
  '--collation-server=utf8mb4_unicode_ci',
  '--default-time-zone=+00:00',
];

/** The folder that holds sbin, lib and share of this program, and where its libraries may lie beside it. */
function layout(program: string) {
  const base = dirname(dirname(program));
  const share = ['mysql', 'mariadb'].map((name) => join(base, 'share', name)).find(hasBootstrapSql);
  const libraryRoots = [join(base, 'lib'), join(dirname(base), 'lib')].filter(existsSync);
  const libraries = libraryRoots.flatMap((root) =>
    readdirSync(root)
      .filter((name) => name.endsWith('-linux-gnu'))
      .map((name) => join(root, name)),
  );
  return { base, share, libraries };
}

function hasBootstrapSql(folder: string): boolean {
  return (
    existsSync(folder) &&
    readdirSync(folder).some((name) => /^(?:mysql|mariadb)_system_tables\.sql$/.test(name))
  );
}

function environment(instance: Instance): Record<string, string> {
  const { resolution } = instance;
  // A server of the system knows its libraries; one in the cache is told where they are.
  return resolution.kind === 'registry'
    ? { LD_LIBRARY_PATH: layout(resolution.program).libraries.join(':') }
    : {};
}

function commonArgs(instance: Instance, dataDir: string): string[] {
  const { base, share } = layout(programOf(instance));
  return [
    '--no-defaults',
    `--basedir=${base}`,
    ...(share ? [`--lc-messages-dir=${share}`] : []),
    `--datadir=${dataDir}`,
    `--tmpdir=${join(instance.dir, 'tmp')}`,
  ];
}

/** The system tables, made by the server itself from the SQL files that it brings along. */
async function initialise(instance: Instance, dataDir: string): Promise<void> {
  const program = programOf(instance);
  const { share } = layout(program);
  if (share === undefined) throw new Error(`${program} has no share/mysql/mysql_system_tables.sql beside it`);
  const parts = [
    'system_tables',
    'performance_tables',
    'system_tables_data',
    'add_gis_sp_bootstrap',
    'sys_schema',
  ];
  const files = parts.map((part) => {
    const file = ['mysql', 'mariadb', 'maria']
      .map((prefix) => join(share, `${prefix}_${part}.sql`))
      .find(existsSync);
    if (file === undefined) throw new Error(`${share} has no SQL file for ${part}`);
    return readFileSync(file, 'utf8');
  });
  const fresh = `${dataDir}.new`;
  rmSync(fresh, { recursive: true, force: true });
  makeOwnedFolder(fresh);
  const opening = 'CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n';
  await runCommand(program, [...commonArgs(instance, fresh), '--bootstrap', '--log-warnings=0'], {
    cwd: instance.dir,
    env: serviceEnvironment(environment(instance)),
    input: opening + files.join('\n'),
    account: databaseAccount(),
  });
  renameSync(fresh, dataDir);
}

/** Runs before the server takes connections, at every start: our own account and no other. */
function writeInitFile(instance: Instance, path: string): void {
  const statements = [
    `CREATE DATABASE IF NOT EXISTS ${database} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci`,
    `CREATE OR REPLACE USER '${user}'@'%' IDENTIFIED BY '${instance.secrets['password']}'`,
    `GRANT ALL PRIVILEGES ON *.* TO '${user}'@'%' WITH GRANT OPTION`,
    "DELETE FROM mysql.global_priv WHERE User IN ('root', '')",
    'FLUSH PRIVILEGES',
  ];
  writeFileSync(path, statements.map((statement) => `${statement};\n`).join(''), { mode: 0o600 });
  const account = databaseAccount();
  if (account !== undefined) chownSync(path, account.uid, account.gid);
}

/** The server greets only when it has opened its tables and run its init file. */
function greets(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: 5_000 });
    socket.once('data', (greeting) => {
      socket.destroy();
      if (greeting[4] === 10) resolve();
      else reject(new Error('what listens there is no MySQL server, or one that refuses connections'));
    });
    socket.once('timeout', () => socket.destroy(new Error('no greeting within 5 s')));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed without a greeting')));
  });
}

/** In a container the image's own script makes the database and our account; it lacks the right to make databases. */
async function startContainer(instance: Instance): Promise<void> {
  const password = instance.secrets['password'] ?? '';
  await runContainer(instance, {
    ports: { mysql: 3306 },
    dataDir: '/var/lib/mysql',
    env: { MARIADB_DATABASE: database, MARIADB_USER: user, MARIADB_ROOT_HOST: 'localhost' },
    secrets: { MARIADB_PASSWORD: password, MARIADB_ROOT_PASSWORD: password },
    args: settings,
  });
  await untilHealthy(instance, () => mariadb.health(instance));
  const grant = `GRANT ALL PRIVILEGES ON *.* TO '${user}'@'%' WITH GRANT OPTION`;
  await execInContainer(instance, ['mariadb', '--user=root', '--execute', grant], { MYSQL_PWD: password });
}

/** MariaDB in the place of MySQL: the source of a migration. */
export const mariadb: Service = {
  name: 'mariadb',
  title: 'MariaDB',
  needs: [],
  ports: ['mysql'],

  async resolve(): Promise<Resolution | undefined> {
    const program = findProgram('mariadbd', ['/usr/sbin', '/usr/local/sbin']);
    const version = program && (await versionOf(program, versionLine));
    return program && version ? { kind: 'path', program, version } : undefined;
  },

  image: 'mariadb:11.4',

  lacks() {
    if (isCached(cacheKey) || (findProgram('apt-get') && findProgram('dpkg-deb'))) return undefined;
    return (
      'no mariadbd on PATH, and fetching it needs apt-get and dpkg-deb, as Debian and Ubuntu have them; install ' +
      "MariaDB with this system's own tools, or give the address of a server in FERRY_STACK_MARIADB"
    );
  },

  async install(report): Promise<Resolution> {
    const dir = await cached(cacheKey, report, async (target) => {
      report('fetching MariaDB as Debian packages');
      await unpackDebianPackages(target, ['mariadb-server-core']);
    });
    const program = join(dir, 'usr', 'sbin', 'mariadbd');
    const env = { LD_LIBRARY_PATH: layout(program).libraries.join(':') };
    const banner = await runCommand(program, ['--version'], { env: serviceEnvironment(env) });
    const version = versionLine.exec(banner)?.[1] ?? 'of unknown version';
    return { kind: 'registry', program, version, registry: 'the Debian archive' };
  },

  newSecrets: () => ({ password: randomSecret() }),

  async start(instance) {
    if (instance.resolution.kind === 'docker') return startContainer(instance);
    const dataDir = join(instance.dir, 'data');
    const initFile = join(instance.dir, 'init.sql');
    makeOwnedFolder(join(instance.dir, 'tmp'));
    if (!existsSync(dataDir)) await initialise(instance, dataDir);
    writeInitFile(instance, initFile);
    await spawnProcess(instance, {
      program: programOf(instance),
      args: [
        ...commonArgs(instance, dataDir),
        '--bind-address=127.0.0.1',
        `--port=${instance.ports['mysql']}`,
        // Relative to the data folder: a whole path could be longer than a socket's name may be.
        '--socket=mysql.sock',
        '--pid-file=mariadb.pid',
        `--init-file=${initFile}`,
        ...settings,
      ],
      env: environment(instance),
      account: databaseAccount(),
    });
    await untilHealthy(instance, () => mariadb.health(instance));
  },

  health: (instance) => greets(instance.ports['mysql'] ?? 0),

  stop: (instance) => stopProcesses(instance.processes, 'SIGTERM'),

  connection: ({ ports, secrets }) => ({
    host: '127.0.0.1',
    port: String(ports['mysql']),
    user,
    password: secrets['password'] ?? '',
    database,
  }),

  connectionFromAddress(text) {
    const url = parseAddress(
      'mariadb',
      text,
      ['mysql:', 'mariadb:'],
      'mysql://user:password@host:port/database',
    );
    return {
      host: url.hostname,
      port: url.port || '3306',
      user: decodeURIComponent(url.username) || user,
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)) || database,
    };
  },
};
