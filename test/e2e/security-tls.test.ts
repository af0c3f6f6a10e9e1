import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { PreflightReport } from '../../src/job/inquiry.ts';
import { canary } from '../support/canary.ts';
import { AUTHORITY, CLIENT, ELSEWHERE, INTRUDER, OTHER_AUTHORITY, SERVER } from '../support/certificates.ts';
import { Lab } from '../support/lab.ts';
import { createTable, distinctRows, insertRows } from '../support/rows.ts';
import { openKeyFront, openTlsFront, type TlsFront } from '../support/tls-front.ts';

// The whole product through servers with TLS: workers, commands and every adapter; MySQL is in security-mysql-tls.

const ROWS = 20;
const dir = mkdtempSync(join(tmpdir(), 'ferry-tls-'));
/** The path of a file that holds the text. */
function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}
const authority = file('authority.pem', AUTHORITY);
const otherAuthority = file('other-authority.pem', OTHER_AUTHORITY);

let lab: Lab;
const fronts: { close: () => void }[] = [];
const kept = <T extends { close: () => void }>(front: T): T => {
  fronts.push(front);
  return front;
};
const portOf = (name: string): number => Number(new URL(lab.env[name] ?? '').port);
const temporalPort = (): number => Number((lab.env['TEMPORAL_ADDRESS'] ?? '').split(':')[1]);

before(async () => {
  lab = await Lab.open();
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS));
});
after(async () => {
  await lab?.close();
  for (const front of fronts) front.close();
  rmSync(dir, { recursive: true });
});

describe('Qdrant, the embedding service and Supabase with https', () => {
  /** What preflight finds through fronts with this certificate; `trusts` is in NODE_EXTRA_CA_CERTS. */
  async function problems(
    certificate: typeof SERVER,
    trusts: string,
  ): Promise<{ ids: string[]; text: string; opened: TlsFront[] }> {
    const opened: TlsFront[] = [];
    const https: Record<string, string> = {};
    for (const name of ['QDRANT_URL', 'OPENAI_BASE_URL', 'SUPABASE_URL']) {
      const front = kept(await openTlsFront(portOf(name), { ...certificate }));
      opened.push(front);
      https[name] = `https://localhost:${front.port}${name === 'OPENAI_BASE_URL' ? '/v1' : ''}`;
    }
    const settings = { ...https, NODE_EXTRA_CA_CERTS: trusts };
    const { stdout, stderr } = await lab.ferryWith(settings, 'preflight', '--local', '--json');
    const { checks } = JSON.parse(stdout) as PreflightReport;
    // A ledger that cannot be reached is only warned of.
    const isDistrust = /NODE_EXTRA_CA_CERTS|certificate|altname|CERT/u;
    const found = checks.filter(
      ({ status, message, advice }) => status !== 'ok' && isDistrust.test(`${message} ${advice}`),
    );
    const services = found.map(({ id }) => id.split('.')[0] ?? '');
    for (const service of ['embedding', 'ledger', 'target']) {
      const isFine = checks.some(({ id, status }) => id.startsWith(`${service}.`) && status === 'ok');
      assert.equal(isFine, !services.includes(service), `${service}: ${stdout}`);
    }
    return { ids: [...new Set(services)].toSorted(), text: stdout + stderr, opened };
  }

  test('work if their authority is trusted', async () => {
    const { ids, text, opened } = await problems(SERVER, authority);
    assert.deepEqual(ids, [], text);
    for (const front of opened) assert.ok(front.accepted() > 0, 'nobody came through TLS');
  });

  for (const [what, certificate, trusts] of [
    ['of another authority', SERVER, otherAuthority],
    ['of another host', ELSEWHERE, authority],
  ] as const) {
    test(`are refused with a certificate ${what}`, async () => {
      const { ids, text } = await problems(certificate, trusts);
      assert.deepEqual(ids, ['embedding', 'ledger', 'target'], text);
    });
  }
});

describe('Temporal with mTLS', () => {
  const client = (certificate: typeof CLIENT, name: string): Record<string, string> => ({
    TEMPORAL_TLS_CLIENT_CERT_PATH: file(`${name}.pem`, certificate.cert),
    TEMPORAL_TLS_CLIENT_KEY_PATH: file(`${name}.key`, certificate.key),
  });
  const trusted = { TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority };
  const open = async (certificate: typeof SERVER): Promise<TlsFront> =>
    kept(
      await openTlsFront(temporalPort(), {
        ...certificate,
        ca: AUTHORITY,
        requestCert: true,
        rejectUnauthorized: true,
        ALPNProtocols: ['h2'],
      }),
    );

  test('a worker and commands with a client certificate run a job', async () => {
    const front = await open(SERVER);
    const settings = { TEMPORAL_ADDRESS: `localhost:${front.port}`, ...client(CLIENT, 'client'), ...trusted };
    const worker = await lab.worker(settings);
    const before = front.accepted();
    assert.ok(before > 0);
    const started = await lab.ferryWith(settings, 'start', '--detach', '--no-preflight');
    assert.equal(started.code, 0, started.stderr);
    const watched = await lab.ferryWith(settings, 'watch');
    assert.equal(watched.code, 0, watched.stderr);
    assert.ok(front.accepted() > before, 'the commands did not come through TLS');
    assert.equal((await lab.result()).totals.written, ROWS);
    await worker.kill('SIGTERM');
  });

  test('no, or a foreign, client certificate is refused', async () => {
    const front = await open(SERVER);
    for (const own of [{}, client(INTRUDER, 'intruder')]) {
      const settings = {
        TEMPORAL_ADDRESS: `localhost:${front.port}`,
        TEMPORAL_TLS: 'true',
        ...trusted,
        ...own,
      };
      for (const command of ['status', 'worker']) {
        const { code, stderr } = await lab.ferryWith(settings, command);
        assert.equal(code, 2, stderr);
        assert.match(stderr, /TEMPORAL_ADDRESS: .*TLS/u);
      }
    }
  });

  test('a server of another authority, or of another name, is refused', async () => {
    const [right, elsewhere] = [await open(SERVER), await open(ELSEWHERE)];
    const own = client(CLIENT, 'client');
    for (const [port, ca] of [
      [right.port, otherAuthority],
      [elsewhere.port, authority],
    ] as const) {
      const settings = {
        TEMPORAL_ADDRESS: `localhost:${port}`,
        ...own,
        TEMPORAL_TLS_SERVER_CA_CERT_PATH: ca,
      };
      const { code, stderr } = await lab.ferryWith(settings, 'status');
      assert.equal(code, 2, stderr);
      assert.match(stderr, /TEMPORAL_TLS_SERVER_CA_CERT_PATH/u);
    }
    const named = {
      ...{ TEMPORAL_ADDRESS: `localhost:${elsewhere.port}`, TEMPORAL_TLS_SERVER_NAME: 'elsewhere.invalid' },
      ...own,
      ...trusted,
    };
    const { code, stderr } = await lab.ferryWith(named, 'status');
    assert.equal(code, 0, stderr);
  });
});

describe('Temporal with an API key', () => {
  const key = canary();

  test('every call of workers and commands carries it, over TLS', async () => {
    const front = kept(await openKeyFront(temporalPort(), key, { ...SERVER }));
    const settings = {
      TEMPORAL_ADDRESS: `localhost:${front.port}`,
      TEMPORAL_API_KEY: key,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority,
    };
    const worker = await lab.worker(settings);
    const ofWorker = new Set(front.calls.map(({ path }) => path.split('/').at(-1)));
    assert.ok(
      [...ofWorker].some((name) => name?.startsWith('Poll')),
      [...ofWorker].join(),
    );
    const { code, stderr } = await lab.ferryWith(settings, 'start', '--attach', '--no-preflight');
    assert.equal(code, 0, stderr);
    await worker.kill('SIGTERM');
    const called = new Set(front.calls.map(({ path }) => path.split('/').at(-1)));
    for (const name of ['StartWorkflowExecution', 'RespondActivityTaskCompleted'])
      assert.ok(called.has(name), name);
    assert.deepEqual([...new Set(front.calls.map(({ authorization }) => authorization))], [`Bearer ${key}`]);
  });

  test('a wrong one is refused, by the name of its setting and without its value', async () => {
    const front = kept(await openKeyFront(temporalPort(), key, { ...SERVER }));
    const wrong = canary();
    const settings = {
      TEMPORAL_ADDRESS: `localhost:${front.port}`,
      TEMPORAL_API_KEY: wrong,
      TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority,
    };
    for (const command of ['status', 'worker']) {
      const { code, stderr, stdout } = await lab.ferryWith(settings, command);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /^TEMPORAL_API_KEY, TEMPORAL_NAMESPACE: .*refuses the key/mu);
      assert.doesNotMatch(stderr + stdout, new RegExp(wrong.slice(0, 12), 'u'));
    }
  });
});
