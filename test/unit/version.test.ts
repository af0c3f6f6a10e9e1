import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Version } from '../../src/cli/version.ts';

const ROOT = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'ferry-version-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** Runs `ferry --version` in an empty folder, with these settings and no others. */
function version(settings: Record<string, string>, ...args: string[]) {
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  return spawnSync(process.execPath, [join(ROOT, 'src/cli.ts'), '--version', ...args], {
    cwd: dir,
    encoding: 'utf8',
    env: { PATH, NODE_COMPILE_CACHE, HOME: dir, FERRY_STACK_DIR: join(dir, 'stack'), ...settings },
    timeout: 60_000,
  });
}

const SECRETS = {
  MYSQL_PASSWORD: 'canary-1',
  QDRANT_API_KEY: 'canary-2',
  OPENAI_API_KEY: 'canary-3',
  SUPABASE_KEY: 'canary-4',
  TEMPORAL_API_KEY: 'canary-5',
};

describe('ferry --version', () => {
  it('names everything that it would talk to, and no secret', () => {
    const { status, stdout, stderr } = version({
      ...SECRETS,
      MYSQL_HOST: 'db.example',
      MYSQL_DATABASE: 'shop',
      MYSQL_TABLE: 'notes',
      // Nothing answers there.
      QDRANT_URL: 'https://user:canary-6@qdrant.example:6333/?api-key=canary-7',
      QDRANT_COLLECTION_NAME: 'memos2',
      OPENAI_BASE_URL: 'https://models.example/v1',
      OPENAI_EMBEDDING_MODEL: 'small-one',
      SUPABASE_URL: 'https://project.supabase.co',
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_NAMESPACE: 'ferries',
    });
    const { version: own } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Version;
    assert.deepEqual([status, stderr], [0, '']);
    assert.doesNotMatch(stdout, /canary/);
    assert.ok(stdout.startsWith(`vector-ferry ${own}, Node ${process.version} (the configured servers)\n`));
    assert.match(stdout, /^ {2}Temporal +temporal\.example:7233, namespace ferries$/m);
    assert.match(stdout, /^ {2}source +db\.example, table shop\.notes$/m);
    assert.match(stdout, /^ {2}Qdrant +(?:https:\/\/qdrant\.example:6333|malformed), collection memos2$/m);
    assert.match(stdout, /^ {2}embedding +https:\/\/models\.example\/v1, model small-one$/m);
    assert.match(stdout, /^ {2}Supabase +https:\/\/project\.supabase\.co$/m);
  });

  it('says what is not set', () => {
    const { status, stdout } = version({});
    assert.equal(status, 0);
    assert.match(stdout, /\(nothing is configured, and no local stack runs\)$/m);
    assert.match(stdout, /^ {2}source +not set, database not set, table ip_summary$/m);
    assert.match(stdout, /^ {2}Qdrant +not set, collection memos$/m);
    assert.match(stdout, /^ {2}Supabase +no ledger$/m);
  });

  it('takes the database from the table where that names it', () => {
    assert.match(version({ MYSQL_TABLE: 'shop.notes' }).stdout, /^ {2}source +not set, table shop\.notes$/m);
  });

  it('is not disturbed by malformed settings, and repeats none of them', () => {
    const names = ['MYSQL_HOST', 'MYSQL_TABLE', 'QDRANT_URL', 'QDRANT_COLLECTION_NAME', 'OPENAI_BASE_URL'];
    names.push('SUPABASE_URL', 'TEMPORAL_ADDRESS', 'TEMPORAL_UI_URL', 'BATCH_SIZE', 'TEMPORAL_TLS');
    const malformed = Object.fromEntries(names.map((name) => [name, 'mysql://root:canary@x y/..;.;.']));
    const { status, stdout, stderr } = version({ ...malformed, TEMPORAL_CONFIG_FILE: '/nowhere' });
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /^ {2}Temporal +malformed$/m);
    assert.match(stdout, /^ {2}source +malformed/m);
    assert.match(stdout, /^ {2}Qdrant +malformed/m);
    assert.doesNotMatch(stdout, /canary/);
  });

  it('says so where there is no stack, and where .env cannot be read', () => {
    assert.match(version({}, '--stack').stdout, /\(--stack: no local stack is running/);
    writeFileSync(join(dir, '.env'), 'MYSQL_HOST=from.file\n');
    assert.match(version({}).stdout, /from\.file/);
  });

  it('speaks JSON', () => {
    const { stdout } = version({ ...SECRETS, MYSQL_HOST: 'db.example' }, '--json');
    const { source, temporal } = JSON.parse(stdout) as Version;
    assert.deepEqual(source, { host: 'db.example', database: null, table: 'ip_summary' });
    assert.deepEqual(temporal, { address: 'localhost:7233', namespace: 'default' });
  });
});
