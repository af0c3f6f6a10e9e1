import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { isRoot } from '../../src/stack/account.ts';
import { identify } from '../../src/stack/process-table.ts';
import { killProcesses } from '../../src/stack/process.ts';
import { down, openStack, status, up } from '../../src/stack/stack.ts';
import { openPlace, type Ended, type Place } from './stack-command.ts';

const UP = ['stack', 'up', '--service', 'embeddings'];

/** A private view of the mounts, in which a small disk can be put anywhere; it goes with its last process. */
const PRIVATE = isRoot() ? ['unshare', '--mount'] : ['unshare', '--mount', '--map-root-user'];
const MOUNT = 'mount -t tmpfs -o "$1" tmpfs "$2"';

/** Runs a program on a file system of its own; `fill` leaves nothing free on it. */
function onDisk(place: Place, options: string, fill = false): string[] {
  const filling = fill ? ' && cat /dev/zero > "$2/filler" 2> /dev/null; shift 2; exec "$@"' : '';
  const script = `${MOUNT}${filling === '' ? ' && shift 2 && exec "$@"' : filling}`;
  const disk = join(place.home, 'disk');
  mkdirSync(disk, { recursive: true });
  return [...PRIVATE, 'sh', '-c', script, 'sh', options, disk];
}

const canMount =
  spawnSync(PRIVATE[0] ?? '', [...PRIVATE.slice(1), 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
const notMounted = canMount ? false : 'not run: this user may not mount a small file system here';

describe('a stack that cannot be brought up says what to do', () => {
  let place: Place;
  beforeEach(() => {
    place = openPlace();
  });
  afterEach(() => place.close());

  /** Nothing was started, the reason is a sentence, and no error shows where in the program it arose. */
  function assertRefused({ code, stdout, stderr }: Ended, ...sentences: RegExp[]): void {
    for (const sentence of sentences) assert.match(stderr, sentence);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, '');
    assert.doesNotMatch(stderr, /^\s+at /m);
    assert.deepEqual(place.pids(), []);
  }

  it('when a port that was asked for is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    try {
      const ended = await place.run(['stack', 'up', '--port', `mariadb=${port}`]);
      assertRefused(
        ended,
        new RegExp(
          `^MariaDB: port ${port}, asked for with --port mariadb=${port}, is taken by another program; free`,
        ),
      );
      assert.ok(!existsSync(place.dir), 'a stack was begun');
    } finally {
      other.close();
    }
    // The same port is fine as soon as it is free, and then belongs to the service itself.
    const { dir } = place;
    const services = ['embeddings'] as const;
    const ports = { embeddings: port };
    await up({ dir, services, ports });
    await up({ dir, services, ports });
    await assert.rejects(
      up({ dir, services, ports: { embeddings: 20_001 } }),
      new RegExp(
        `Embeddings: it runs at port ${port}, not at the one asked for with --port embeddings=20001; take`,
      ),
    );
  });

  it('when ports are asked for twice, or for a service that is not brought up', async () => {
    assertRefused(
      await place.run([...UP, '--port', 'embeddings=20001', 'qdrant=20002']),
      /^--port qdrant=20002: the stack does not bring up that service here; leave it out$/m,
    );
    const refused = (ports: Record<string, number>, sentence: RegExp) =>
      assert.rejects(up({ dir: place.dir, ports }), sentence);
    await refused(
      { embeddings: 20_001, 'temporal.ui': 20_001 },
      /--port: embeddings and temporal\.ui are given the same port 20001; give each its own/,
    );
    await refused({ 'embeddings.grpc': 20_001 }, /unknown ports: embeddings\.grpc; known: temporal, /);
    assert.ok(!existsSync(place.dir), 'a stack was begun');
  });

  it('when HOME and the XDG folders are not set, as far as they are needed', async () => {
    const nowhere = { HOME: '', XDG_CACHE_HOME: '', XDG_STATE_HOME: '', FERRY_STACK_DIR: '' };
    for (const command of [['up'], ['status']]) {
      const ended = await place.run(['stack', ...command], nowhere);
      assertRefused(
        ended,
        /^HOME is not set.* set HOME.* XDG_CACHE_HOME .* FERRY_STACK_DIR and XDG_STATE_HOME/,
      );
    }
    for (const args of [['--version'], ['stack', '--help'], ['stack', 'status', '--dir', place.dir]]) {
      const { code, stderr } = await place.run(args, nowhere);
      assert.equal(code, 0, stderr);
    }
    const { code, stderr } = await place.run([...UP, '--dir', place.dir], nowhere);
    assert.equal(code, 0, stderr);
  });

  it('when stack.json is damaged, with the way out', async () => {
    await up({ dir: place.dir, services: ['embeddings'] });
    const file = join(place.dir, 'stack.json');
    const whole = readFileSync(file, 'utf8');
    const { dir } = place;
    const wayOut = new RegExp(
      `stack\\.json is damaged: .*\\(\`kill ${place.pids().join(' ')}\`\\), then remove .*\`ferry stack up\` makes`,
    );
    truncateSync(file, 100);
    const { code, stderr } = await place.run(UP);
    assert.equal(code, 2, stderr);
    assert.match(stderr, wayOut);
    for (const text of [
      '',
      'null',
      '[]',
      whole.slice(0, -20),
      whole.replace(/"services": \{[^]*/, '"services": 1}'),
    ]) {
      writeFileSync(file, text);
      await assert.rejects(status({ dir }), wayOut);
      await assert.rejects(up({ dir, services: ['embeddings'] }), wayOut);
      await assert.rejects(down({ dir, purge: true }), wayOut);
      assert.throws(() => openStack(dir), wayOut);
    }
    assert.equal(place.pids().length, 1);
    writeFileSync(file, whole.replace('vector-ferry stack 1', 'vector-ferry stack 0'));
    await assert.rejects(
      status({ dir }),
      /was not written by this version of the stack; use that version, or/,
    );
    await killProcesses(place.pids().flatMap((pid) => identify(pid) ?? []));
    rmSync(dir, { recursive: true });
    await up({ dir, services: ['embeddings'] });
  });

  it('when the folder is not one, or cannot be written', { skip: isRoot() && notMounted }, async () => {
    const file = join(place.home, 'file');
    writeFileSync(file, '');
    assertRefused(
      await place.run([...UP, '--dir', file]),
      /file is not a folder; choose another one with FERRY_STACK_DIR/,
    );
    assertRefused(
      await place.run([...UP, '--dir', join(file, 'below')]),
      /cannot be written \(ENOTDIR\).*FERRY_STACK_DIR/,
    );
    // Root may write everywhere but on a disk that nobody can write to.
    const closed = join(place.home, 'disk');
    const prefix = isRoot() ? onDisk(place, 'ro,mode=711') : [];
    if (!isRoot()) mkdirSync(closed, { mode: 0o555 });
    const dir = isRoot() ? closed : join(closed, 'stack');
    const ended = await place.run([...UP, '--dir', dir], {}, prefix);
    assertRefused(
      ended,
      /cannot be written \((?:EACCES|EROFS)\); give your user write access, or choose another folder/,
    );
  });

  it('when the disk is full from the beginning', { skip: notMounted }, async () => {
    const dir = join(place.home, 'disk', 'stack');
    const ended = await place.run([...UP, '--dir', dir], {}, onDisk(place, 'size=64k,mode=711', true));
    assertRefused(
      ended,
      /a disk is full: 0 MiB are free on that of .*; make room and run `ferry stack up` again/,
    );
  });

  it('when the disk is full in the middle', { skip: !isRoot() || notMounted }, async () => {
    const dir = join(place.home, 'disk', 'stack');
    const args = ['stack', 'up', '--service', 'mariadb', '--dir', dir];
    const { code, stderr } = await place.run(args, {}, onDisk(place, 'size=8m,mode=711'));
    assert.equal(code, 1);
    assert.match(stderr, /^MariaDB: a disk is full: \d MiB are free .*FERRY_STACK_DIR/m);
    // In its own view of the mounts nothing else can be seen than what works there.
    assert.deepEqual(place.pids(), []);
  });

  it('when addresses are malformed, all at once and without their passwords', async () => {
    const ended = await place.run(['stack', 'up'], {
      FERRY_STACK_QDRANT: 'hunter2@nowhere',
      FERRY_STACK_TEMPORAL: 'http://localhost',
      FERRY_STACK_MARIADB: 'postgres://me:hunter2@host/db',
    });
    assertRefused(
      ended,
      /^FERRY_STACK_QDRANT is not an address of the form http:\/\/:api-key@host:port$/m,
      /^FERRY_STACK_TEMPORAL is not an address of the form host:port$/m,
      /^FERRY_STACK_MARIADB is not an address of the form mysql:\/\/user:password@host:port\/database$/m,
    );
    assert.doesNotMatch(ended.stderr, /hunter2/);
    assert.ok(!existsSync(place.dir));
  });

  it('when Go, Python or npm are missing, before anything is fetched', async () => {
    const bin = join(place.home, 'bin');
    mkdirSync(bin);
    const cache = join(place.home, 'cache');
    const bare = { PATH: bin, XDG_CACHE_HOME: cache };
    const ended = await place.run(['stack', 'up', '--service', 'temporal', 'qdrant', 'postgrest'], bare);
    assertRefused(
      ended,
      /^Temporal: .*needs Go 1\.21 or newer \(found: none\); install Go, or give .* FERRY_STACK_TEMPORAL$/m,
      /^Qdrant: .*needs Python 3\.10 or newer.*; install Python .* FERRY_STACK_QDRANT$/m,
      /^PostgREST: .*needs npm.* FERRY_STACK_POSTGREST$/m,
    );
    assert.ok(!existsSync(cache) && !existsSync(place.dir), 'something was begun');
  });
});

describe('a stack that is up', () => {
  it('is attached to by a second `up`; two at once wait for one another', async () => {
    const place = openPlace();
    try {
      const first = place.start(UP);
      const [one, two] = await Promise.all([first.ended, place.run(UP)]);
      assert.equal(one.code, 0, one.stderr);
      assert.equal(two.code, 0, two.stderr);
      const said = one.stderr + two.stderr;
      assert.equal(said.match(/started in/g)?.length, 1, said);
      assert.equal(said.match(/already running/g)?.length, 1, said);
      assert.equal(place.pids().length, 1);
    } finally {
      await place.close();
    }
  });

  it('is shown quietly to nobody when the output is closed', async () => {
    const place = openPlace();
    try {
      await place.run(UP);
      const running = place.start(['stack', 'status']);
      running.child.stdout?.destroy();
      const { code, stderr } = await running.ended;
      assert.equal(stderr, '');
      // As SIGPIPE would have ended it.
      assert.equal(code, 141);
    } finally {
      await place.close();
    }
  });
});
