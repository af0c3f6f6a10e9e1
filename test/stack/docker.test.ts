import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { newEntry } from '../../src/stack/prepare.ts';
import { dockerResolution } from '../../src/stack/docker.ts';
import { killProcesses } from '../../src/stack/process.ts';
import { resolveOrInstall } from '../../src/stack/resolve.ts';
import type { ServiceName } from '../../src/stack/service.ts';
import { services } from '../../src/stack/services.ts';
import { down, openStack, status, up } from '../../src/stack/stack.ts';
import { createState, writeState, type StackState } from '../../src/stack/state.ts';
import { createFakeDocker, type FakeDocker } from './fake-docker.ts';

const FERRY = join(import.meta.dirname, '../../bin/ferry.js');

describe('Docker, by a stand-in for its program', () => {
  const before = { PATH: process.env['PATH'], XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] };
  let home: string;
  let dir: string;
  let docker: FakeDocker;

  beforeEach(() => {
    home = realpathSync(mkdtempSync(join(tmpdir(), 'ferry-docker-')));
    // As root the databases' user has to pass through.
    chmodSync(home, 0o711);
    dir = join(home, 'stack');
    docker = createFakeDocker(join(home, 'docker'));
    // Nothing else is found and nothing can be installed, so that only Docker is left.
    process.env['PATH'] = docker.bin;
    process.env['XDG_CACHE_HOME'] = join(home, 'cache');
  });
  afterEach(async () => {
    docker.set('well');
    await down({ dir, purge: true }).catch(() => undefined);
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(home, { recursive: true, force: true });
  });

  /** A stack that has these services in Docker already, whatever programs this machine has beside PATH. */
  function stackInDocker(...names: ServiceName[]): StackState {
    const state = createState(dir);
    for (const name of names) {
      const resolution = dockerResolution(state.id, name, services[name].image ?? '');
      state.services[name] = newEntry(state, services[name], resolution);
    }
    writeState(state);
    return state;
  }
  /** The arguments of the last `docker run` of an image, and the variables that it takes from the client. */
  function runOf(image: string) {
    const call = docker.calls().findLast(({ args }) => args[0] === 'run' && args.includes(image));
    assert.ok(call, `no container of ${image} was run`);
    const values = (flag: string) =>
      call.args.flatMap((arg, index) => (call.args[index - 1] === flag ? [arg] : []));
    return { ...call, values, after: call.args.slice(call.args.indexOf(image) + 1) };
  }
  const stackOf = () => openStack(dir);
  const port = (service: ServiceName, name: string) => stackOf().state().services[service]?.ports[name];

  it('runs a service that is not on PATH, says so, and pulls its image once and audibly', async () => {
    const said: string[] = [];
    const onProgress = ({ message }: { message: string }) => void said.push(message);
    await up({ dir, services: ['qdrant'], docker: true, onProgress });
    assert.ok(said.includes('pulling the Docker image qdrant/qdrant:v1.16.2'), said.join('\n'));
    const [qdrant] = (await status({ dir })).services;
    assert.equal(qdrant?.status, 'running');
    assert.equal(qdrant.resolution, 'docker qdrant/qdrant:v1.16.2');

    const { id, services: known } = stackOf().state();
    const container = `ferry-${id.replaceAll('-', '').slice(0, 12)}-qdrant`;
    assert.deepEqual(docker.names('container'), [container]);
    assert.deepEqual(docker.names('volume'), [container]);
    assert.ok(known.qdrant?.resolution.kind === 'docker');
    assert.equal(known.qdrant.resolution.container, container);

    const { args, values, env } = runOf('qdrant/qdrant:v1.16.2');
    assert.deepEqual(values('--pull'), ['never']);
    assert.deepEqual(values('--name'), [container]);
    assert.match(values('--label').join(), /^vector-ferry\.stack=ferry-[0-9a-f]{12}$/);
    assert.deepEqual(values('--publish'), [
      `127.0.0.1:${port('qdrant', 'http')}:6333`,
      `127.0.0.1:${port('qdrant', 'grpc')}:6334`,
    ]);
    assert.deepEqual(values('--volume'), [`${container}:/qdrant/storage`]);
    const key = known.qdrant.connection['apiKey'] ?? '';
    assert.equal(env['QDRANT__SERVICE__API_KEY'], key);
    assert.ok(!args.join(' ').includes(key), 'a secret stands on the command line');

    await down({ dir });
    await up({ dir, services: ['qdrant'], docker: true });
    assert.equal(docker.calls().filter(({ args: [verb] }) => verb === 'pull').length, 1);
  });

  it('is never used unless the caller asks for it', async () => {
    await assert.rejects(up({ dir, services: ['qdrant'] }), /needs Python/);
    assert.deepEqual(docker.calls(), []);
    assert.ok(!existsSync(dir));
  });

  it('comes after a program on PATH', async () => {
    writeFileSync(join(docker.bin, 'qdrant'), `#!${process.execPath}\nconsole.log('qdrant 1.17.0');\n`, {
      mode: 0o755,
    });
    const found = await resolveOrInstall(createState(dir), services.qdrant, true, () => undefined);
    assert.deepEqual(found, { kind: 'path', program: join(docker.bin, 'qdrant'), version: '1.17.0' });
  });

  it('runs Temporal and MariaDB, with what they need set up inside', async () => {
    stackInDocker('temporal', 'mariadb');
    const stack = await up({ dir, services: ['temporal', 'mariadb'], docker: true });
    const temporal = runOf('temporalio/temporal:1.8.2');
    assert.deepEqual(temporal.after.slice(0, 2), ['server', 'start-dev']);
    for (const flag of ['0.0.0.0', '/data/temporal.db']) assert.ok(temporal.after.includes(flag), flag);
    assert.match(temporal.values('--volume').join(), /:\/data$/);
    assert.equal(stack.environment().TEMPORAL_ADDRESS, `127.0.0.1:${port('temporal', 'grpc')}`);

    const mariadb = runOf('mariadb:11.4');
    const password = stack.environment().MYSQL_PASSWORD ?? '';
    assert.equal(mariadb.env['MARIADB_PASSWORD'], password);
    assert.ok(mariadb.after.includes('--character-set-server=utf8mb4'));
    const grant = docker.calls().find(({ args }) => args[0] === 'exec' && args.includes('mariadb'));
    assert.match(grant?.args.at(-1) ?? '', /^GRANT ALL PRIVILEGES/);
    assert.equal(grant?.env['MYSQL_PWD'], password);
    const everything = docker.calls().flatMap(({ args }) => args);
    assert.ok(!everything.join(' ').includes(password), 'a secret stands on a command line');
  });

  it('runs PostgREST beside PostgreSQL on a network of the stack, which goes with the data', async () => {
    stackInDocker('postgres');
    await up({ dir, services: ['postgrest'], docker: true });
    const [network = ''] = docker.names('network');
    assert.deepEqual(runOf('postgres:17').values('--network'), [network]);
    const postgrest = runOf('postgrest/postgrest:v12.2.12');
    assert.deepEqual(postgrest.values('--network'), [network]);
    assert.match(
      postgrest.env['PGRST_DB_URI'] ?? '',
      new RegExp(`^postgres://authenticator:[0-9a-f]{32}@${network}-postgres:5432/postgres$`),
    );
    await down({ dir, purge: true });
    for (const kind of ['container', 'volume', 'network'] as const)
      assert.deepEqual(docker.names(kind), [], kind);
    assert.ok(!existsSync(dir));
  });

  it('leaves no container behind, however a service ends', async () => {
    const stack = await up({ dir, services: ['qdrant'], docker: true });
    await stack.stop('qdrant');
    assert.deepEqual(docker.names('container'), []);
    await stack.start('qdrant');
    await stack.kill('qdrant');
    assert.deepEqual(docker.names('container'), []);
    await stack.start('qdrant');

    // As an impatient person would: the container outlives its client, and is ended by the next start.
    await killProcesses(stack.state().services.qdrant?.processes ?? []);
    assert.equal(docker.names('container').length, 1);
    assert.equal((await status({ dir })).services[0]?.status, 'stopped');
    await up({ dir, services: ['qdrant'], docker: true });
    assert.equal((await status({ dir })).services[0]?.status, 'running');
    assert.equal(docker.names('container').length, 1);

    await killProcesses(stack.state().services.qdrant?.processes ?? []);
    await down({ dir });
    assert.deepEqual(docker.names('container'), []);
    assert.equal(docker.names('volume').length, 1);
  });

  it('is cleared of data that was there before the user gave an address', async () => {
    await up({ dir, services: ['qdrant'], docker: true });
    process.env['FERRY_STACK_QDRANT'] = 'http://:key@127.0.0.1:1';
    try {
      await up({ dir, services: ['qdrant'], docker: true });
    } finally {
      delete process.env['FERRY_STACK_QDRANT'];
    }
    assert.equal(stackOf().state().services.qdrant?.resolution.kind, 'address');
    assert.deepEqual(docker.names('container'), []);
    await down({ dir });
    assert.equal(docker.names('volume').length, 1);
    await down({ dir, purge: true });
    assert.deepEqual(docker.names('volume'), []);
    assert.ok(!existsSync(dir));
  });

  it('that is gone is a reason to say so, at `up` and at `down`, and never to begin afresh', async () => {
    await up({ dir, services: ['qdrant'], docker: true });
    await assert.rejects(
      up({ dir, services: ['qdrant'] }),
      /Docker volume ferry-\S+-qdrant, and Docker is excl/,
    );
    docker.set('absent');
    await assert.rejects(
      down({ dir }),
      /container ferry-\S+-qdrant could not be removed; see that Docker runs/,
    );
    docker.set('well');
    await down({ dir });
    assert.deepEqual(docker.names('container'), []);
  });

  it('can be interrupted while it pulls', async () => {
    docker.set('hanging at pulls');
    const controller = new AbortController();
    const onProgress = ({ message }: { message: string }) => {
      if (message.startsWith('pulling')) controller.abort(new Error('enough'));
    };
    const { signal } = controller;
    await assert.rejects(up({ dir, services: ['qdrant'], docker: true, signal, onProgress }), /enough/);
    docker.set('well');
    await up({ dir, services: ['qdrant'], docker: true });
    assert.equal(docker.names('container').length, 1);
  });

  /** `ferry stack up --service qdrant`, where nothing but Docker could bring it. */
  async function ferryUp(env: Record<string, string> = {}) {
    const child = spawn(process.execPath, [FERRY, 'stack', 'up', '--service', 'qdrant'], {
      cwd: home,
      env: { PATH: docker.bin, HOME: home, FERRY_STACK_DIR: dir, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stderr };
  }

  for (const daemon of ['absent', 'hanging'] as const) {
    it(`goes on to the registry after one question to a client whose daemon is ${daemon}`, async () => {
      docker.set(daemon);
      const { code, stderr } = await ferryUp();
      assert.equal(code, 2);
      assert.match(stderr, /^Qdrant: no qdrant on PATH, .*needs Python/m);
      assert.deepEqual(
        docker.calls().map(({ args: [verb] }) => verb),
        ['context', 'version'],
      );
    });
  }

  it('is used by `ferry stack up`, and excluded by FERRY_STACK_DOCKER=0', async () => {
    const excluded = await ferryUp({ FERRY_STACK_DOCKER: '0' });
    assert.equal(excluded.code, 2);
    assert.match(excluded.stderr, /needs Python/);
    assert.deepEqual(docker.calls(), []);
    const malformed = await ferryUp({ FERRY_STACK_DOCKER: 'yes' });
    assert.equal(malformed.code, 2);
    assert.match(malformed.stderr, /^FERRY_STACK_DOCKER: expected 0 .* or 1/m);
    assert.equal((await ferryUp()).code, 0);
    assert.match(readFileSync(join(dir, 'stack.json'), 'utf8'), /"kind": "docker"/);
  });
});
