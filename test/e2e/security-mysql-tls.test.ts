import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import mysql from 'mysql2/promise';
import { Fault } from '../../src/errors.ts';
import { createServices } from '../../src/services.ts';
import { databaseAccount } from '../../src/stack/account.ts';
import { identify, sendSignal } from '../../src/stack/process-table.ts';
import { AUTHORITY, ELSEWHERE, OTHER_AUTHORITY, SERVER, type Certificate } from '../support/certificates.ts';
import { until } from '../support/lab.ts';
import { ownStack, type OwnStack } from '../support/stack.ts';

// The real MariaDB with TLS: MYSQL_TLS and MYSQL_CA, and an account that the server lets in with TLS only.

let stack: OwnStack;
let server: ChildProcess | undefined;
let dir: string;
let settings: Record<string, string>;

/** Places that certificate where the server reads its own. */
function install({ cert, key }: Certificate): void {
  const account = databaseAccount();
  for (const [name, text] of [
    ['server.crt', cert],
    ['server.key', key],
  ] as const) {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    if (account !== undefined) chownSync(join(dir, name), account.uid, account.gid);
  }
}

async function sql(statement: string): Promise<void> {
  const { host = '', port, user = '', password = '' } = stack.state().services.mariadb?.connection ?? {};
  const connection = await mysql.createConnection({ host, port: Number(port), user, password });
  await connection.query(statement);
  await connection.end();
}

before(async () => {
  stack = await ownStack(['mariadb']);
  const service = stack.state().services.mariadb;
  const [running] = service?.processes ?? [];
  assert.ok(service !== undefined && running !== undefined, 'this MariaDB is not one that can be restarted');
  dir = service.dir;
  const read = (name: string): string[] =>
    readFileSync(`/proc/${running.pid}/${name}`, 'utf8').split('\0').slice(0, -1);
  const [program = '', ...args] = read('cmdline');
  const env = Object.fromEntries(
    read('environ').map((line) => [line.split('=')[0] ?? '', line.replace(/^[^=]*=/u, '')]),
  );
  sendSignal(running, 'SIGTERM');
  await until('it has ended', 30_000, () => identify(running.pid) === undefined);
  install(SERVER);
  const account = databaseAccount();
  // The same server again, now with a certificate.
  server = spawn(
    program,
    [...args, `--ssl-cert=${join(dir, 'server.crt')}`, `--ssl-key=${join(dir, 'server.key')}`],
    {
      cwd: dir,
      env,
      stdio: 'ignore',
      ...(account && { uid: account.uid, gid: account.gid }),
    },
  );
  await until('it is back', 60_000, () =>
    sql('SELECT 1').then(
      () => true,
      () => false,
    ),
  );
  await sql('CREATE TABLE ferry.texts (id BIGINT PRIMARY KEY, text TEXT)');
  await sql("INSERT INTO ferry.texts VALUES (1, 'a text')");
  await sql("CREATE USER strict IDENTIFIED BY 'only with TLS' REQUIRE SSL");
  await sql('GRANT SELECT ON *.* TO strict');
  settings = {
    ...(stack.environment() as Record<string, string>),
    ...{ MYSQL_USER: 'strict', MYSQL_PASSWORD: 'only with TLS', MYSQL_DATABASE: 'ferry' },
    ...{ QDRANT_URL: 'http://127.0.0.1:9', OPENAI_API_KEY: 'none' },
  };
});

after(async () => {
  if (server?.exitCode === null && server.signalCode === null) {
    const exited = once(server, 'exit');
    server.kill('SIGTERM');
    await exited;
  }
  await stack?.close();
});

/** Reads a table with these settings. @returns the ids' number, or the fault */
async function read(changes: Record<string, string>): Promise<number | Fault> {
  const services = createServices(
    { values: { ...settings, ...changes }, warnings: [], isStack: false },
    'test',
  );
  const table = {
    ...{ database: 'ferry', table: 'texts', idColumn: 'id', tenantColumn: null },
    ...{ contentColumns: ['text'], contentTemplate: null, payloadColumns: [], filter: null },
  };
  try {
    return (await services.source.ids(table, { after: 0n, upTo: 9n }, 1, AbortSignal.timeout(30_000))).length;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  } finally {
    await services.close();
  }
}

const file = (text: string): string => {
  const path = join(dir, `ca-${text.length}.pem`);
  writeFileSync(path, text);
  return path;
};

async function refused(changes: Record<string, string>, code: string, says: RegExp): Promise<void> {
  const fault = await read(changes);
  assert.ok(fault instanceof Fault, 'it was accepted');
  assert.equal(fault.code, code, fault.message);
  assert.match(fault.message, says);
}

describe('MariaDB with TLS', () => {
  test('verify, with the authority of the server: accepted, by address and by name', async () => {
    for (const MYSQL_HOST of ['127.0.0.1', 'localhost']) {
      assert.equal(await read({ MYSQL_HOST, MYSQL_TLS: 'verify', MYSQL_CA: file(AUTHORITY) }), 1);
    }
  });

  test('verify, with another authority, or none: refused', async () => {
    const says = /certificate is not trusted.*MYSQL_CA/u;
    await refused({ MYSQL_TLS: 'verify', MYSQL_CA: file(OTHER_AUTHORITY) }, 'source_misconfigured', says);
    await refused({ MYSQL_TLS: 'verify' }, 'source_misconfigured', says);
  });

  test('disabled: the account that needs TLS is not let in', () =>
    refused({ MYSQL_TLS: 'disabled' }, 'source_access_denied', /MYSQL_USER|MYSQL_PASSWORD/u));

  test('required: encrypted, whoever the server is', async () => {
    assert.equal(await read({ MYSQL_TLS: 'required' }), 1);
  });

  test('verify, with the certificate of another host: refused', async () => {
    install(ELSEWHERE);
    await sql('FLUSH SSL');
    const verified = { MYSQL_TLS: 'verify', MYSQL_CA: file(AUTHORITY) };
    for (const MYSQL_HOST of ['127.0.0.1', 'localhost']) {
      await refused({ ...verified, MYSQL_HOST }, 'source_misconfigured', /MYSQL_TLS/u);
    }
    assert.equal(await read({ MYSQL_TLS: 'required' }), 1);
  });
});
