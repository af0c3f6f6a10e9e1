import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import mysql from 'mysql2/promise';
import { down, status, up } from '../../src/stack/stack.ts';
import { runAudit } from '../support/audit.ts';
import { EmbeddingsControl, QdrantControl } from '../support/control.ts';
import { until } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';
import { ownStack, type OwnStack } from '../support/stack.ts';

const CLI = join(import.meta.dirname, '../../src/cli.ts');
const ROWS = 120;
/** Gives Ctrl-C and the question a terminal, and copies what comes in and out; ends as its program does. */
const TERMINAL =
  'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:], stdin_read=lambda fd: os.read(fd, 1024))))';

/** The user's own servers: everything but Temporal. */
let services: OwnStack;
/** Where `ferry run` keeps a Temporal; there is nothing at first. */
const place = mkdtempSync(join(tmpdir(), 'ferry-run-'));
// As root the databases' user has to pass through, even where there is none.
chmodSync(place, 0o711);
const temporalDir = join(place, 'stack');
let env: Record<string, string>;
let sql: mysql.Connection;
let embeddings: EmbeddingsControl;
let qdrant: QdrantControl;

before(async () => {
  services = await ownStack(['mariadb', 'postgrest', 'qdrant', 'embeddings']);
  const own = services.environment();
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
  env = {
    PATH,
    HOME,
    NODE_COMPILE_CACHE,
    ...own,
    FERRY_STACK_DIR: temporalDir,
    BATCH_SIZE: '10',
    MAX_WORKERS: '2',
  };
  env['WORKER_HEARTBEAT_INTERVAL'] = '2';
  sql = await mysql.createConnection({
    host: env['MYSQL_HOST'] ?? '',
    port: Number(env['MYSQL_PORT']),
    user: env['MYSQL_USER'] ?? '',
    password: env['MYSQL_PASSWORD'] ?? '',
    database: env['MYSQL_DATABASE'] ?? '',
  });
  embeddings = new EmbeddingsControl(env['OPENAI_BASE_URL'] ?? '');
  qdrant = new QdrantControl(env['QDRANT_URL'] ?? '', env['QDRANT_API_KEY'] ?? '');
  await createTable(sql as unknown as mysql.Pool);
  await insertRows(sql as unknown as mysql.Pool, distinctRows(ROWS));
});
after(async () => {
  for (const child of launched) if (child.exitCode === null) child.kill('SIGKILL');
  if (existsSync(temporalDir)) await down({ dir: temporalDir, purge: true });
  await sql.end();
  await services.close();
  rmSync(place, { recursive: true });
});

const launched = new Set<ChildProcess>();

/** `ferry run` on its way. */
interface Running {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly ended: Promise<number | null>;
}

function launch(
  args: readonly string[],
  settings: Record<string, string> = {},
  through: string[] = [],
): Running {
  const [program = '', ...rest] = [...through, process.execPath, CLI, 'run', ...args];
  const child = spawn(program, rest, { cwd: place, env: { ...env, ...settings }, stdio: 'pipe' });
  launched.add(child);
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (said.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (said.stderr += data.toString()));
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, stdout: () => said.stdout, stderr: () => said.stderr, ended };
}

async function run(args: readonly string[], settings: Record<string, string> = {}) {
  const running = launch(args, settings);
  const code = await running.ended;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}

async function temporalIs(): Promise<string | undefined> {
  const found = await status({ dir: temporalDir });
  return found.services.find(({ name }) => name === 'temporal')?.status;
}

async function assertAllThere(): Promise<void> {
  const report = await runAudit({ env, source: `${env['MYSQL_DATABASE']}/ip_summary` });
  assert.ok(report.ok, JSON.stringify(report));
}

test('without a terminal and without --yes nothing begins', async () => {
  const { code, stdout, stderr } = await run([]);
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(stderr, /^--yes: there is no terminal .+\n$/u);
  assert.equal(existsSync(temporalDir), false);
});

test('settings that are missing are named at once, before anything begins', async () => {
  const { code, stderr } = await run(['--yes', '--batch-size', '0'], { MYSQL_HOST: '', QDRANT_URL: '' });
  assert.equal(code, 2);
  for (const name of ['MYSQL_HOST', 'QDRANT_URL', '--batch-size']) assert.ok(stderr.includes(name), stderr);
  assert.equal(existsSync(temporalDir), false);
});

test('what is wrong with the local stack is bad input', async () => {
  const { code, stderr } = await run(['--yes'], { FERRY_STACK_DOCKER: 'perhaps' });
  assert.equal(code, 2);
  assert.match(stderr, /^FERRY_STACK_DOCKER: expected 0 .*or 1/mu);
  assert.equal(existsSync(temporalDir), false);
});

test('a problem that preflight finds costs nothing', async () => {
  const { code, stdout, stderr } = await run(['--yes'], { MYSQL_CONTENT_COLUMN: 'no_such_column' });
  assert.equal(code, 2, stderr);
  assert.match(stderr, /no_such_column[^]*Nothing was started/u);
  assert.doesNotMatch(stdout, /Started/u);
  assert.equal((await qdrant.counters()).written, 0);
  assert.equal(await temporalIs(), 'stopped');
});

test('Ctrl-C hands over; the next run goes on, pays nothing twice, and stops its Temporal', async () => {
  await embeddings.behave({ latencyMs: 400 });
  await embeddings.reset();
  const first = launch(['--yes']);
  await until('a third is there', 90_000, async () => {
    assert.equal(first.child.exitCode, null, first.stderr());
    return (await qdrant.counters()).written > 100;
  });
  first.child.kill('SIGINT');
  assert.equal(await first.ended, 130, first.stderr());
  assert.match(first.stdout(), /plan of ip_summary-to-memos/u);
  // In between the worker may warn of a question that nobody waits for any more.
  assert.match(first.stderr(), /Stopping: .+\n[^]*Stopped; `ferry run` goes on from here\.\n$/u);
  assert.doesNotMatch(first.stderr(), /"severity":"INFO"/u);
  assert.equal(await temporalIs(), 'stopped');
  const before = (await embeddings.counters()).inputs;

  const other = await run(['--yes', '--batch-size', '7']);
  assert.equal(other.code, 2, other.stderr);
  assert.match(other.stderr, /another specification; it differs in batchSize/u);

  await embeddings.behaveNormally();
  const second = await run(['--yes']);
  assert.equal(second.code, 0, second.stderr);
  assert.match(second.stderr, /A run of ip_summary-to-memos is open/u);
  assert.match(second.stdout, /Goes on with ip_summary-to-memos/u);
  assert.match(second.stdout, /: completed/u);
  const { inputs, distinctTexts } = await embeddings.counters();
  assert.ok(inputs > before, 'something was left to do');
  // A preflight embeds one word, each time the same.
  assert.ok(inputs - distinctTexts <= 2, `${inputs} inputs of ${distinctTexts} texts`);
  assert.equal(await temporalIs(), 'stopped');
  await assertAllThere();
});

test('a halt ends it with the reason, and the next run resumes', async () => {
  await sql.query("UPDATE ip_summary SET parse_content = CONCAT('Again. ', parse_content)");
  await embeddings.behave({ latencyMs: 400 });
  const { written, changed } = await qdrant.counters();
  const halting = launch(['--yes', '--json']);
  await until('batches are written', 90_000, async () => {
    const now = await qdrant.counters();
    assert.equal(halting.child.exitCode, null, halting.stderr());
    return now.written + now.changed > written + changed + 50;
  });
  await embeddings.behave({ latencyMs: 0, quotaExhausted: true });
  assert.equal(await halting.ended, 1, halting.stderr());
  const lines = halting.stdout().trim().split('\n');
  const last = JSON.parse(lines.at(-1) ?? '') as { status: string; pauseReason: string };
  assert.deepEqual([last.status, last.pauseReason], ['paused', 'embedding_quota_exhausted']);
  assert.deepEqual(Object.keys(JSON.parse(lines[0] ?? '') as object), ['preflight']);
  assert.deepEqual(Object.keys(JSON.parse(lines[1] ?? '') as object), ['plan']);
  assert.equal(await temporalIs(), 'stopped');

  await embeddings.behaveNormally();
  const { code, stderr } = await run(['--yes', '--verbose']);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /It had paused; it goes on\./u);
  assert.match(stderr, /"severity":"INFO"/u);
  await assertAllThere();
});

test('a ledger that is out keeps nobody waiting for long, and catches up in the next run', async () => {
  const args = ['--yes', '--limit', '20', '--name', 'behind'];
  await services.stop('postgrest');
  const { code, stdout, stderr } = await run([...args, '--no-preflight']);
  await services.start('postgrest');
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stdout, /Preflight/u);
  assert.match(stdout, /all batches have ended, the job stays open until it has them/u);
  assert.match(stderr, /The ledger is behind; it catches up when a worker runs again/u);
  assert.equal(await temporalIs(), 'stopped');

  const next = await run(args);
  assert.equal(next.code, 0, next.stderr);
  assert.match(next.stdout, /Goes on with behind[^]*behind: completed/u);
  assert.doesNotMatch(next.stderr, /The ledger is behind/u);
});

test('a second Ctrl-C does not wait', async () => {
  await sql.query("UPDATE ip_summary SET parse_content = CONCAT('Once more. ', parse_content)");
  await embeddings.reset();
  const running = launch(['--yes', '--name', 'forced']);
  // The one word of the preflight comes through.
  await until('it is about to start', 90_000, () => {
    assert.equal(running.child.exitCode, null, running.stderr());
    return running.stdout().includes('plan of forced');
  });
  await embeddings.behave({ latencyMs: 100_000 });
  // A line comes every ten seconds; with a plan, requests have been on their way for a while.
  await until('requests hang', 90_000, () => running.stdout().includes('batches 0/'));
  running.child.kill('SIGINT');
  await until('it says so', 10_000, () => running.stderr().includes('Stopping'));
  running.child.kill('SIGINT');
  assert.equal(await running.ended, 130);
  assert.equal(await temporalIs(), 'stopped');
  await embeddings.behaveNormally();
});

test('nobody reads the output any more: it ends in good order', async () => {
  const running = launch(['--yes', '--name', 'forced', '--json']);
  await until('it has said something', 90_000, () => running.stdout().includes('preflight'));
  running.child.stdout?.destroy();
  assert.equal(await running.ended, 141, running.stderr());
  assert.equal(await temporalIs(), 'stopped');
});

test('on a terminal it asks; a Temporal that runs already is left running', async () => {
  await up({ dir: temporalDir, services: ['temporal'] });
  const refusing = launch(['--limit', '5', '--name', 'asked'], {}, ['python3', '-c', TERMINAL]);
  await until('it asks', 90_000, () => refusing.stdout().includes('[y/N]'));
  refusing.child.stdin?.write('n\n');
  assert.equal(await refusing.ended, 3, refusing.stdout());
  assert.match(refusing.stdout(), /Nothing was started/u);
  assert.equal(await temporalIs(), 'running');

  // `list` says something about a run only where there is one; that nobody reads it is quiet anyway.
  const listing = [
    'bash',
    '-c',
    '"$@" | true; exit "${PIPESTATUS[0]}"',
    'bash',
    process.execPath,
    CLI,
    'list',
    '--stack',
  ];
  const list = spawn(listing[0] ?? '', listing.slice(1), { cwd: place, env, stdio: 'ignore' });
  assert.deepEqual(await once(list, 'close'), [141, null]);

  const agreeing = launch(['--limit', '5', '--name', 'asked'], {}, ['python3', '-c', TERMINAL]);
  await until('it asks', 90_000, () => agreeing.stdout().includes('[y/N]'));
  agreeing.child.stdin?.write('y\n');
  assert.equal(await agreeing.ended, 0, agreeing.stdout());
  assert.match(agreeing.stdout(), /asked: completed/u);
  assert.equal(await temporalIs(), 'running');
});

test('a pause that somebody asked for is named before it is ended', async () => {
  // It was left open above; no worker runs now, and the Temporal is found without --stack.
  const pausing = spawn(process.execPath, [CLI, 'pause', 'forced'], { cwd: place, env, stdio: 'ignore' });
  assert.deepEqual(await once(pausing, 'close'), [0, null]);
  const { code, stderr } = await run(['--yes', '--name', 'forced']);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /It is paused since \d{4}-\S+Z, on request of \d+@\S+; this ends the pause\./u);
  assert.match(stderr, /It had paused; it goes on\./u);
});
