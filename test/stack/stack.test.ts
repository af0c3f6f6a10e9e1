import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { createConnection } from 'mysql2/promise';
import { identify, isAlive } from '../../src/stack/process-table.ts';
import { killProcesses, stopProcesses } from '../../src/stack/process.ts';
import { withPostgres } from '../../src/stack/postgres-client.ts';
import { serviceNames, type ServiceName } from '../../src/stack/service.ts';
import { down, openStack, status, up } from '../../src/stack/stack.ts';
import { ownStack, type OwnStack } from '../support/stack.ts';

describe('a stack', () => {
  let stack: OwnStack;

  before(async () => {
    stack = await ownStack();
  });
  after(() => stack.close());

  const connection = (name: ServiceName) => {
    const service = stack.state().services[name];
    assert.ok(service);
    return service.connection;
  };
  const pids = () =>
    serviceNames.map((name) => stack.state().services[name]?.processes.map(({ pid }) => pid));

  function rest(
    path: string,
    init: RequestInit = {},
    key = connection('postgrest')['serviceKey'],
  ): Promise<Response> {
    const headers = {
      'content-type': 'application/json',
      ...(key !== undefined && key !== '' && { apikey: key, authorization: `Bearer ${key}` }),
    };
    return fetch(`${connection('postgrest')['url']}/rest/v1/${path}`, { ...init, headers });
  }

  async function qdrant(method: string, path: string, body?: object): Promise<{ result: unknown }> {
    const response = await fetch(`${connection('qdrant')['url']}${path}`, {
      method,
      headers: { 'content-type': 'application/json', 'api-key': connection('qdrant')['apiKey'] ?? '' },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as { result: unknown };
  }

  it('lets no secret stand on a command line, which every user of the machine can read', async () => {
    const state = stack.state();
    const secrets = Object.values(state.services).flatMap((service) =>
      [
        ...Object.values(service.secrets),
        service.connection['apiKey'],
        service.connection['password'],
      ].filter((secret) => secret !== undefined && secret.length > 8),
    );
    assert.ok(secrets.length >= 5, String(secrets.length));
    for (const name of serviceNames) {
      for (const { pid } of state.services[name]?.processes ?? []) {
        const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        assert.notEqual(commandLine, '');
        assert.ok(!secrets.some((secret) => commandLine.includes(secret ?? '')), name);
      }
    }
    // They are asked for all the same.
    const body = JSON.stringify({ model: 'text-embedding-3-small', input: 'a' });
    const keyless = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    assert.equal((await fetch(`${connection('embeddings')['baseUrl']}/embeddings`, keyless)).status, 401);
    assert.equal((await fetch(`${connection('qdrant')['url']}/collections`)).status, 401);
  });

  async function withMysql(sql: string): Promise<unknown> {
    const { host, port, user, password, database } = connection('mariadb');
    const mysql = await createConnection({ host, port: Number(port), user, password, database });
    try {
      const [rows] = await mysql.query(sql);
      return rows;
    } finally {
      await mysql.end();
    }
  }

  async function withTemporal<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const { address, namespace } = connection('temporal');
    const link = await Connection.connect({ address });
    try {
      return await work(new Client({ connection: link, namespace }));
    } finally {
      await link.close();
    }
  }

  async function vector(text: string): Promise<number[]> {
    const { baseUrl, apiKey } = connection('embeddings');
    const response = await fetch(`${baseUrl}/embeddings`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'text-embedding-3-small', input: text }),
    });
    const body = (await response.json()) as { data: { embedding: number[] }[] };
    return body.data[0]?.embedding ?? [];
  }

  it('attaches at the second up', async () => {
    const before = pids();
    const said: string[] = [];
    const again = await up({ dir: stack.dir, onProgress: ({ message }) => said.push(message) });
    assert.deepEqual(pids(), before);
    assert.equal(again.dir, stack.dir);
    assert.equal(said.filter((message) => message === 'already running').length, serviceNames.length);
  });

  it('fills exactly the variables of the product', () => {
    const names = [
      'TEMPORAL_ADDRESS',
      'TEMPORAL_NAMESPACE',
      'TEMPORAL_UI_URL',
      'MYSQL_HOST',
      'MYSQL_PORT',
      'MYSQL_USER',
      'MYSQL_PASSWORD',
    ];
    names.push('MYSQL_DATABASE', 'SUPABASE_URL', 'SUPABASE_KEY', 'QDRANT_URL', 'QDRANT_API_KEY');
    names.push('OPENAI_BASE_URL', 'OPENAI_API_KEY');
    const environment = stack.environment();
    assert.deepEqual(Object.keys(environment).sort(), names.sort());
    assert.ok(Object.values(environment).every((value) => value !== ''));
    assert.equal(environment.TEMPORAL_NAMESPACE, 'vector-ferry');
    assert.match(environment.OPENAI_BASE_URL ?? '', /^http:\/\/127\.0\.0\.1:\d+\/v1$/);
  });

  it('has a namespace that keeps finished workflows for 30 days, and a UI', async () => {
    const { config } = await withTemporal((client) =>
      client.workflowService.describeNamespace({ namespace: connection('temporal')['namespace'] }),
    );
    assert.equal(Number(config?.workflowExecutionRetentionTtl?.seconds), 30 * 24 * 3_600);
    const ui = await fetch(connection('temporal')['uiUrl'] ?? '');
    assert.equal(ui.status, 200);
    await ui.text();
  });

  it('lets its MySQL user in and nobody else', async () => {
    assert.deepEqual(await withMysql("SELECT '你好' AS greeting, @@character_set_database AS charset"), [
      { greeting: '你好', charset: 'utf8mb4' },
    ]);
    await withMysql('CREATE DATABASE another');
    const { host, port } = connection('mariadb');
    await assert.rejects(
      createConnection({ host, port: Number(port), user: 'root', password: '' }),
      /denied/i,
    );
  });

  it('answers on /rest/v1 to its own keys only', async () => {
    const statusOf = async (response: Promise<Response>) => {
      const answer = await response;
      await answer.text();
      return answer.status;
    };
    assert.equal(await statusOf(rest('ingestion_job?limit=1')), 200);
    assert.equal(await statusOf(rest('ingestion_job?limit=1', {}, '')), 401);
    assert.equal(await statusOf(rest('ingestion_job?limit=1', {}, 'made-up')), 401);
    assert.equal(await statusOf(fetch(`${connection('postgrest')['url']}/elsewhere`)), 404);
  });

  it('keeps workflows when Temporal is killed', async () => {
    const workflowId = 'survivor';
    await withTemporal((client) =>
      client.workflow.start('nobodyRunsThis', { taskQueue: 'none', workflowId }),
    );
    await stack.kill('temporal');
    await stack.start('temporal');
    const description = await withTemporal((client) => client.workflow.getHandle(workflowId).describe());
    assert.equal(description.status.name, 'RUNNING');
  });

  it('keeps rows when MariaDB is killed', async () => {
    await withMysql('CREATE TABLE kept (id BIGINT PRIMARY KEY) ENGINE=InnoDB');
    await withMysql('INSERT INTO kept VALUES (1745000000000002683)');
    await stack.kill('mariadb');
    assert.equal(
      (await status({ dir: stack.dir })).services.find(({ name }) => name === 'mariadb')?.status,
      'stopped',
    );
    await stack.start('mariadb');
    assert.deepEqual(await withMysql('SELECT CAST(id AS CHAR) AS id FROM kept'), [
      { id: '1745000000000002683' },
    ]);
  });

  it('keeps rows when PostgreSQL or PostgREST is killed', async () => {
    await withPostgres(connection('postgres')['url'] ?? '', (query) =>
      query("create table public.kept (id bigint primary key); notify pgrst, 'reload schema'"),
    );
    await until(async () => (await rest('kept', { method: 'POST', body: '{"id": 7}' })).status === 201);
    for (const name of ['postgres', 'postgrest'] as const) {
      await stack.kill(name);
      await stack.start(name);
      await until(async () => (await rest('kept?select=id')).status === 200);
      assert.deepEqual(
        await (await rest('kept?select=id')).json(),
        [{ id: 7 }],
        `after the death of ${name}`,
      );
    }
  });

  it('keeps points when Qdrant is killed', async () => {
    await qdrant('PUT', '/collections/kept', { vectors: { size: 4, distance: 'Cosine' } });
    const points = [{ id: 1, vector: [1, 0, 0, 0], payload: { text: 'kept' } }];
    await qdrant('PUT', '/collections/kept/points?wait=true', { points });
    await stack.kill('qdrant');
    await stack.start('qdrant');
    const { result } = await qdrant('POST', '/collections/kept/points/count', { exact: true });
    assert.deepEqual(result, { count: 1 });
  });

  it('gives the same vectors after the embeddings service was killed', async () => {
    const before = await vector('kept');
    assert.equal(before.length, 1536);
    await stack.kill('embeddings');
    await stack.start('embeddings');
    assert.deepEqual(await vector('kept'), before);
  });

  it('starts what has died at its old ports with its data; two ups at once start it once', async () => {
    const ports = stack.environment();
    for (const name of serviceNames) await stack.kill(name);
    const said: string[] = [];
    const onProgress = ({ message }: { message: string }) => void said.push(message);
    await Promise.all([up({ dir: stack.dir, onProgress }), up({ dir: stack.dir, onProgress })]);
    assert.equal(said.filter((message) => message.startsWith('started')).length, serviceNames.length);
    assert.deepEqual(stack.environment(), ports);
    assert.deepEqual(await withMysql('SELECT COUNT(*) AS rows_kept FROM kept'), [{ rows_kept: 1 }]);
  });

  it('ends every process on down, and removes its folder on purge', async () => {
    const processes = serviceNames.flatMap((name) => stack.state().services[name]?.processes ?? []);
    assert.ok(processes.length > serviceNames.length - 1);
    assert.ok(processes.every(isAlive));
    await down({ dir: stack.dir });
    assert.ok(!processes.some(isAlive));
    assert.ok(existsSync(join(stack.dir, 'mariadb', 'data')));
    await down({ dir: stack.dir, purge: true });
    assert.ok(!existsSync(stack.dir));
  });
});

describe('the folder of a stack', () => {
  const inTemporaryFolder = async (work: (dir: string) => Promise<void>) => {
    const dir = mkdtempSync(join(tmpdir(), 'ferry-folder-'));
    try {
      await work(dir);
    } finally {
      await down({ dir }).catch(() => undefined);
      rmSync(dir, { recursive: true, force: true });
    }
  };

  it('is never made out of, or purged from, a folder that holds something else', () =>
    inTemporaryFolder(async (dir) => {
      writeFileSync(join(dir, 'precious.txt'), 'mine');
      await assert.rejects(up({ dir, services: ['embeddings'] }), /not empty/);
      await assert.rejects(down({ dir, purge: true }), /no stack/);
      assert.deepEqual(readdirSync(dir), ['precious.txt']);
      assert.throws(() => openStack(dir), /no stack/);
    }));

  it('keeps what the stack did not put there', () =>
    inTemporaryFolder(async (dir) => {
      await up({ dir, services: ['embeddings'] });
      writeFileSync(join(dir, 'precious.txt'), 'mine');
      await down({ dir, purge: true });
      assert.deepEqual(readdirSync(dir), ['precious.txt']);
    }));
});

describe('a service', () => {
  it('is taken from the address in FERRY_STACK_<SERVICE>', async () => {
    process.env['FERRY_STACK_QDRANT'] = 'http://:a%2Fkey@qdrant.example:6333';
    const stack = await ownStack(['qdrant']).finally(() => delete process.env['FERRY_STACK_QDRANT']);
    try {
      assert.deepEqual(stack.environment(), {
        QDRANT_URL: 'http://qdrant.example:6333',
        QDRANT_API_KEY: 'a/key',
      });
      assert.equal((await status({ dir: stack.dir })).services[0]?.status, 'external');
      await assert.rejects(stack.start('qdrant'), /not run by this stack/);
    } finally {
      await stack.close();
    }
  });

  it('that cannot start says why with the end of its log, and leaves nothing running', async () => {
    const stack = await ownStack(['embeddings']);
    try {
      await stack.stop('embeddings');
      const requestLog = join(stack.dir, 'embeddings', 'requests.jsonl');
      rmSync(requestLog, { force: true });
      mkdirSync(requestLog);
      await assert.rejects(stack.start('embeddings'), /its process has ended[^]*embeddings\.log:[^]*EISDIR/);
      assert.deepEqual(stack.state().services.embeddings?.processes, []);
    } finally {
      await stack.close();
    }
  });

  it('is never mistaken for another process that has its pid', async () => {
    const child = spawn('sleep', ['60']);
    const identity = identify(child.pid ?? 0);
    assert.ok(identity);
    const impostor = { pid: identity.pid, startedAt: '1@another-boot' };
    await stopProcesses([impostor], 'SIGKILL', 100);
    await killProcesses([impostor]);
    assert.ok(isAlive(identity));
    await killProcesses([identity]);
    assert.ok(!isAlive(identity));
  });
});

/** Repeats a question until its answer is yes. */
async function until(question: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await question())) {
    assert.ok(Date.now() < deadline, 'it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
