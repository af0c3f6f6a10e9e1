import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import mysql from 'mysql2/promise';
import { installerEnvironment } from '../../src/stack/environment.ts';
import { until } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';

const ROOT = join(import.meta.dirname, '../..');
const ROWS = 300;
const TIMEOUT_MS = 5 * 60_000;

// Everything lies in a folder of its own, far from the sources; as root the databases' user passes through.
const home = mkdtempSync(join(tmpdir(), 'ferry-package-'));
chmodSync(home, 0o711);
const project = join(home, 'project');
mkdirSync(project);

/** Where a user's shell looks, without what npm puts before it for this test. */
const PATH = (process.env['PATH'] ?? '')
  .split(delimiter)
  .filter((folder) => !folder.includes('node_modules') && !folder.includes('node-gyp-bin'))
  .join(delimiter);
/** No settings; the servers' programs come from the cache that the tests' own stack has filled. */
const env = Object.fromEntries(
  Object.entries({
    PATH,
    HOME: process.env['HOME'],
    XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'],
    FERRY_STACK_DIR: join(home, 'stack'),
  }).filter(([, value]) => value !== undefined),
) as Record<string, string>;

function run(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: Record<string, string> },
) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    ...options,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** `npx ferry` in the project; it ends with 0. */
function ferry(...args: string[]): string {
  const { status, stdout, stderr } = run('npx', ['ferry', ...args], { cwd: project, env });
  assert.equal(status, 0, `ferry ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

let tarball: string;

before(() => {
  const installer = installerEnvironment({ PATH });
  const packing = run('npm', ['pack', '--pack-destination', home], { cwd: ROOT, env: installer });
  assert.equal(packing.status, 0, packing.stderr);
  tarball = join(home, readdirSync(home).find((file) => file.endsWith('.tgz')) ?? '');
  const options = ['--prefer-offline', '--no-audit', '--no-fund', '--no-save'];
  const installing = run('npm', ['install', ...options, tarball, 'node@24'], {
    cwd: project,
    env: installer,
  });
  assert.equal(installing.status, 0, installing.stderr);
});
after(() => {
  if (existsSync(join(project, 'node_modules', '.bin', 'ferry'))) ferry('stack', 'down', '--purge');
  rmSync(home, { recursive: true, force: true });
});

describe('the tarball', () => {
  it('holds what a user needs, and nothing else', () => {
    const { stdout } = run('tar', ['-tzf', tarball], { cwd: home, env });
    const files = new Set(
      stdout
        .trim()
        .split('\n')
        .map((file) => file.replace(/^package\//u, '')),
    );
    const migrations = globSync('supabase/migrations/*.sql', { cwd: ROOT });
    const front = globSync('src/stack/qdrant-front/**/*.py', { cwd: ROOT }).map((file) =>
      file.replace(/^src/u, 'dist'),
    );
    const docs = globSync('docs/*.md', { cwd: ROOT });
    assert.ok(migrations.length > 0 && front.length > 0 && docs.length > 0);
    for (const file of [
      ...migrations,
      ...front,
      ...docs,
      '.env.example',
      'LICENSE',
      'README.md',
      'bin/ferry.js',
      'deploy/kubernetes.yaml',
      'dist/cli.js',
      'dist/client.d.ts',
      'dist/stack/embeddings-server.js',
      'dist/stack/qdrant-front/requirements.txt',
      'dist/stack/supabase-gateway.js',
      'dist/stack/temporal-cli/go.mod',
      'dist/stack/temporal-cli/go.sum',
      'dist/worker.js',
      'dist/workflow-bundle.js',
      'dist/workflow-bundle-encrypted.js',
      'docker-compose.temporal.yml',
    ]) {
      assert.ok(files.has(file), `${file} is missing`);
    }
    const others = [...files].filter(
      (file) =>
        /(?:^|\/)(?:__pycache__|test|node_modules|\.env$)|\.log$/u.test(file) ||
        (file.endsWith('.ts') && !file.endsWith('.d.ts')),
    );
    assert.deepEqual(others, []);
  });
});

describe('the installed package', () => {
  it('refuses an old Node in one sentence', () => {
    const version = run('node', ['--version'], { cwd: project, env }).stdout;
    const isOld = Number(/^v(\d+)/u.exec(version)?.[1]) < 22;
    // Where the system has a new one, an old one is what lacks JSON.rawJSON.
    const old = isOld ? [] : ['--import', 'data:text/javascript,delete JSON.rawJSON'];
    const file = join(project, 'node_modules/vector-ferry/bin/ferry.js');
    const { status, stdout, stderr } = run('node', [...old, file, 'status'], { cwd: project, env });
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, /^Vector Ferry needs Node 22\.12 or newer .+\n$/u);
  });

  it('can be imported, with types', () => {
    const program =
      "import { connectFerry, InputError, type Ferry } from 'vector-ferry';\nexport const connect: () => Promise<Ferry> = connectFerry;\nconsole.log(InputError.name);\n";
    writeFileSync(join(project, 'use.mts'), program);
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'esnext'];
    const types = run(process.execPath, [tsc, ...options, 'use.mts'], { cwd: project, env });
    assert.equal(types.status, 0, types.stdout);
    const { stdout, stderr } = run(process.execPath, ['use.mts'], { cwd: project, env });
    assert.equal(stdout, 'InputError\n', stderr);
  });

  it('prints the SQL of the ledger', () => {
    const sql = ferry('ledger', 'sql');
    assert.match(sql, /^-- \d+_ledger\.sql\n/u);
    assert.match(sql, /create table public\.ingestion_job/u);
  });

  it('brings up a stack and migrates on it', async () => {
    ferry('stack', 'up');
    const settings = JSON.parse(ferry('stack', 'env', '--json')) as Record<string, string>;
    const sql = mysql.createPool({
      host: settings['MYSQL_HOST'] ?? '',
      port: Number(settings['MYSQL_PORT']),
      user: settings['MYSQL_USER'] ?? '',
      password: settings['MYSQL_PASSWORD'] ?? '',
      database: settings['MYSQL_DATABASE'] ?? '',
    });
    try {
      await createTable(sql);
      await insertRows(sql, distinctRows(ROWS));
    } finally {
      await sql.end();
    }
    assert.match(ferry('run', '--yes'), /ip_summary-to-memos: completed/u);
    const response = await fetch(`${settings['QDRANT_URL']}/collections/memos/points/count`, {
      method: 'POST',
      headers: { 'api-key': settings['QDRANT_API_KEY'] ?? '', 'content-type': 'application/json' },
      body: JSON.stringify({ exact: true, filter: { must: [{ key: 'type', match: { value: 'parent' } }] } }),
    });
    const { result } = (await response.json()) as { result: { count: number } };
    // Every row has content, and none so much that it would need a second parent of 1,024 tokens and more.
    assert.ok(result.count >= ROWS, `${result.count} parents`);
  });

  it('works in a process of its own, which answers preflight', async () => {
    const path = `${join(project, 'node_modules/.bin')}${delimiter}${PATH}`;
    const worker = spawn('ferry', ['worker'], {
      cwd: project,
      env: { ...env, PATH: path },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    worker.stderr.on('data', (data: Buffer) => (log += data.toString()));
    const exited = once(worker, 'exit');
    try {
      await until('the worker polls', 60_000, () => {
        assert.equal(worker.exitCode, null, log);
        return log.includes('"RUNNING"');
      });
      assert.match(ferry('preflight'), /0 problems/u);
      assert.match(ferry('start', '--attach'), /300 unchanged/u);
    } finally {
      worker.kill('SIGTERM');
      await exited;
    }
    assert.equal(worker.exitCode, 0, log);
  });

  it('takes the stack down with its data; nothing is left running', () => {
    ferry('stack', 'down', '--purge');
    assert.equal(existsSync(join(home, 'stack')), false);
    const running = readdirSync('/proc').filter(
      (pid) => /^\d+$/u.test(pid) && workingFolder(pid).startsWith(home),
    );
    assert.deepEqual(running, []);
  });
});

function workingFolder(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
