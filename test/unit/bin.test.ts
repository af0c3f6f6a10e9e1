import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');
const FERRY = join(ROOT, 'bin', 'ferry.js');
/** Stands in for a Node that has no JSON.rawJSON. */
const OLD_NODE = ['--import', 'data:text/javascript,delete JSON.rawJSON'];

const dir = mkdtempSync(join(tmpdir(), 'ferry-bin-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** Runs `ferry` in an empty folder, without settings and without a stack. */
function ferry(args: readonly string[], node: readonly string[] = [process.execPath]) {
  const [program = '', ...options] = node;
  const { PATH } = process.env;
  const { status, stdout, stderr } = spawnSync(program, [...options, FERRY, ...args], {
    cwd: dir,
    encoding: 'utf8',
    env: { PATH, HOME: dir, FERRY_STACK_DIR: join(dir, 'stack') },
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

describe('bin/ferry.js on a Node that rounds 64-bit integers', () => {
  const refusesInOneSentence = ({ status, stdout, stderr }: ReturnType<typeof ferry>): void => {
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^Vector Ferry needs Node 22\.12 or newer \(.*\); .+\n$/u);
  };

  it('refuses to run, whatever is asked for', () => {
    refusesInOneSentence(ferry(['status'], [process.execPath, ...OLD_NODE]));
    refusesInOneSentence(ferry(['--help'], [process.execPath, ...OLD_NODE]));
  });

  it('also a real one', (t) => {
    const version = spawnSync('/usr/bin/node', ['--version'], { encoding: 'utf8' }).stdout ?? '';
    if (!/^v(?:1\d|20)\./u.test(version)) return t.skip('this machine has none in /usr/bin');
    refusesInOneSentence(ferry(['status'], ['/usr/bin/node']));
  });
});

describe('bin/ferry.js', () => {
  it('prints help and exits with 0', () => {
    const { status, stdout } = ferry(['--help']);
    assert.equal(status, 0);
    for (const verb of ['start', 'watch', 'status', 'list', 'pause', 'resume', 'cancel', 'worker', 'stack']) {
      assert.match(stdout, new RegExp(`^ {2}${verb}\\b`, 'mu'));
    }
    assert.equal(ferry(['stack', 'up', '--help']).status, 0);
  });

  it('prints the version of package.json', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const result = ferry(['--version']);
    assert.equal(result.status, 0);
    assert.match(result.stdout, new RegExp(`^vector-ferry ${version.replaceAll('.', '\\.')}, Node v`, 'u'));
  });

  it('exits with 2 at any mistake on the command line', () => {
    for (const args of [[], ['unload'], ['start', '--fast'], ['stack', 'sink'], ['stack', 'up', '--fast']]) {
      assert.equal(ferry(args).status, 2, args.join(' '));
    }
    assert.equal(ferry(['start', '--limit', 'all']).status, 2);
  });

  it('exits with 2 and says what to do without settings and without a server', () => {
    // Port 1 refuses at once.
    const { status, stdout, stderr } = ferry(
      ['status'],
      ['env', 'TEMPORAL_ADDRESS=127.0.0.1:1', process.execPath],
    );
    assert.deepEqual([status, stdout], [2, '']);
    assert.match(stderr, /TEMPORAL_ADDRESS: .*127\.0\.0\.1:1 does not answer.*ferry stack up/u);
  });

  it('ends quietly when nobody reads its output', () => {
    for (const args of [['--help'], ['ledger', 'sql'], ['stack', 'status']]) {
      // The reader is gone long before Node has started.
      const pipe = ['bash', '-c', '"$@" | true; exit "${PIPESTATUS[0]}"', 'bash', process.execPath];
      const { status, stderr } = ferry(args, pipe);
      assert.deepEqual([status, stderr], [141, ''], args.join(' '));
    }
  });

  it('says so when its output cannot be written', (t) => {
    if (!existsSync('/dev/full')) return t.skip('this system has no /dev/full');
    const full = ['bash', '-c', '"$@" > /dev/full', 'bash', process.execPath];
    const { status, stderr } = ferry(['ledger', 'sql'], full);
    assert.equal(status, 1);
    assert.match(stderr, /^The output cannot be written: .*ENOSPC.*\n$/u);
  });

  it('prints the migrations of the ledger in their order', () => {
    const { status, stdout } = ferry(['ledger', 'sql']);
    assert.equal(status, 0);
    const files = readdirSync(join(ROOT, 'supabase/migrations')).toSorted();
    assert.ok(files.length > 1);
    const parts = files.map((file) => {
      const sql = readFileSync(join(ROOT, 'supabase/migrations', file), 'utf8');
      return `-- ${file}\n${sql.trimEnd()}\n`;
    });
    assert.equal(stdout, `${parts.join('\n')}\n`);
  });
});
