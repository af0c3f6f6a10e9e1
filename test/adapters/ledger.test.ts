import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { before, describe, it } from 'node:test';

import { Fault } from '../../src/errors.ts';
import type { FaultCode } from '../../src/errors.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { ledgerChange } from '../../src/ledger/change.ts';
import { LEDGER_MIGRATIONS } from '../../src/ledger/schema.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase.ts';
import { literal, withPostgres } from '../../src/stack/postgres-client.ts';
import { NO_IDS, job, outcome } from '../conformance/ledger-updates.ts';
import { testStack } from '../support/stack.ts';

// What a ledger does when all is well is in test/conformance/ledger-suite.ts.

const { signal } = new AbortController();
let url: string;
let key: string;
let anonKey: string;

const ledgerAt = (place: { url?: string; key?: string }): Ledger =>
  createSupabaseLedger({ SUPABASE_URL: place.url ?? url, SUPABASE_KEY: place.key ?? key });

/** Each way to call a ledger. */
const CALLS: Readonly<Record<string, (ledger: Ledger) => Promise<unknown>>> = {
  apply: (ledger) => ledger.apply({ job: job(), state: null, batches: [] }, NO_IDS, signal),
  jobs: (ledger) => ledger.jobs({ limit: 1 }, signal),
  lastFailure: (ledger) => ledger.lastFailure('a-job', '1', signal),
  examine: (ledger) => ledger.examine(signal),
};

/** Makes every call and expects the same fault from each. */
async function everyCallGives(ledger: Ledger, code: FaultCode, message: RegExp): Promise<void> {
  for (const [name, call] of Object.entries(CALLS)) {
    await assert.rejects(call(ledger), (error) => {
      assert.ok(error instanceof Fault, `${name}: ${String(error)}`);
      assert.equal(error.code, code, `${name}: ${error.message}`);
      assert.match(error.message, message, name);
      return true;
    });
  }
}

/** A server in the place of Supabase, while `use` runs. */
async function withServer(answer: RequestListener, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => void answer(request, response));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

before(() => {
  const stack = testStack();
  const environment = stack.environment();
  url = environment.SUPABASE_URL ?? '';
  key = environment.SUPABASE_KEY ?? '';
  anonKey = stack.state().services.postgrest?.connection['anonKey'] ?? '';
});

describe('a key that is', () => {
  const hint = /SUPABASE_KEY.*SUPABASE_URL/;

  it('wrong: ledger_access_denied', () =>
    everyCallGives(ledgerAt({ key: 'wrong' }), 'ledger_access_denied', hint));

  it('the anonymous one: ledger_access_denied', () =>
    everyCallGives(ledgerAt({ key: anonKey }), 'ledger_access_denied', hint));

  it("another project's, which its gateway lets through: ledger_access_denied", () =>
    withServer(
      (_, response) =>
        response
          .writeHead(401, { 'content-type': 'application/json' })
          .end('{"code":"PGRST301","message":"JWSError JWSInvalidSignature"}'),
      (address) => everyCallGives(ledgerAt({ url: address }), 'ledger_access_denied', hint),
    ));
});

describe('an address', () => {
  const hint = /check SUPABASE_URL/;
  const answers: [name: string, status: number, headers: Record<string, string>, body: string][] = [
    ['that is a web page', 200, { 'content-type': 'text/html' }, '<html>secret</html>'],
    ['that answers with other JSON', 200, { 'content-type': 'application/json' }, '{"status":"ok"}'],
    ['where nothing is', 404, { 'content-type': 'text/html' }, '<html>secret</html>'],
    ['where nothing is, not even a page', 404, {}, ''],
    ['where nothing is, as a list', 404, { 'content-type': 'application/json' }, '[]'],
    ['of a gateway without Supabase', 404, { 'content-type': 'application/json' }, '{"message":"no Route"}'],
    [
      'that expects https',
      400,
      { 'content-type': 'text/html' },
      '<html>HTTP request to an HTTPS port</html>',
    ],
    ['that redirects to https', 301, { location: 'https://127.0.0.1:9/' }, ''],
  ];
  for (const [name, status, headers, body] of answers) {
    it(`${name}: ledger_unavailable, naming the setting`, () =>
      withServer(
        (_, response) => response.writeHead(status, headers).end(body),
        async (address) => {
          await everyCallGives(ledgerAt({ url: address }), 'ledger_unavailable', hint);
        },
      ));
  }

  it('with a path too much: ledger_unavailable, naming the setting', () =>
    everyCallGives(ledgerAt({ url: `${url}/rest/v1` }), 'ledger_unavailable', hint));

  it('where nobody listens: ledger_unavailable', async () => {
    let gone = '';
    await withServer(
      () => undefined,
      async (address) => void (gone = address),
    );
    const hint = /no answer: ECONNREFUSED; check SUPABASE_URL/;
    await everyCallGives(ledgerAt({ url: gone }), 'ledger_unavailable', hint);
  });

  it('with a port that fetch refuses: ledger_unavailable', () =>
    everyCallGives(
      ledgerAt({ url: 'http://127.0.0.1:1' }),
      'ledger_unavailable',
      /no answer at SUPABASE_URL/,
    ));

  it('with https where http is spoken: ledger_unavailable, and the way out', () =>
    everyCallGives(
      ledgerAt({ url: url.replace('http:', 'https:') }),
      'ledger_unavailable',
      /does SUPABASE_URL begin with http:/,
    ));

  it('that breaks connections off: ledger_unavailable', () =>
    withServer(
      (request) => request.socket.destroy(),
      (address) =>
        everyCallGives(ledgerAt({ url: address }), 'ledger_unavailable', /no answer: UND_ERR_SOCKET/),
    ));
});

describe('a schema', () => {
  const json = { 'content-type': 'application/json' };

  it('that is missing: examine names every file', () =>
    withServer(
      (request, response) => {
        const code = request.url?.includes('/rpc/') ? 'PGRST202' : 'PGRST205';
        response.writeHead(404, json).end(JSON.stringify({ code }));
      },
      async (address) => {
        const ledger = ledgerAt({ url: address });
        await everyCallGives(ledger, 'ledger_schema_missing', /apply/);
        await assert.rejects(
          ledger.examine(signal),
          /20261121000000_ledger.sql, 20261121120000_ledger_cost.sql/,
        );
      },
    ));

  const versions: [name: string, status: number, body: string, found: string[] | RegExp][] = [
    ['that cannot be asked is the first', 404, '{"code":"PGRST202"}', ['20261121120000_ledger_cost.sql']],
    ['of a number too low', 200, '1', ['20261121120000_ledger_cost.sql']],
    ['of a newer release does', 200, '99', []],
    ['that the key may not write', 200, 'null', /SUPABASE_KEY belongs to a role that may not write/],
  ];
  for (const [name, status, body, found] of versions) {
    it(name, () =>
      withServer(
        (request, response) => {
          if (request.url?.includes('/rpc/')) response.writeHead(status, json).end(body);
          else response.writeHead(200, json).end('[]');
        },
        async (address) => {
          const examined = ledgerAt({ url: address }).examine(signal);
          if (found instanceof RegExp) await assert.rejects(examined, found);
          else assert.deepEqual(await examined, { missingMigrations: found });
        },
      ),
    );
  }
});

it('the second schema takes over a ledger of the first, with its rows', async () => {
  const address = new URL(testStack().state().services.postgres?.connection['url'] ?? '');
  const name = `upgrade_${randomUUID().slice(0, 8)}`;
  const admin = address.href;
  address.pathname = `/${name}`;
  const header = job();
  const apply = (batch: number, price: number | null): string => {
    const update = { job: header, state: null, batches: [outcome(batch, 0, { tokens: 1_000_000 })] };
    const change = JSON.stringify(ledgerChange(update, NO_IDS, price));
    return `select public.ferry_apply_ledger(${literal(change)}::jsonb)`;
  };
  const migration = (at: number): string =>
    readFileSync(new URL(`../../supabase/migrations/${LEDGER_MIGRATIONS[at]}`, import.meta.url), 'utf8');
  await withPostgres(admin, (query) => query(`create database ${name}`));
  try {
    await withPostgres(address.href, async (query) => {
      const figures = () => query('select tokens, cost::float from public.ingestion_job');
      await query(migration(0));
      // A newer worker with the older schema goes on mirroring.
      await query(apply(0, 0.02));
      assert.deepEqual(await figures(), [['1000000', null]]);
      await query(migration(1));
      assert.deepEqual(await query('select public.ferry_ledger_version()'), [['2']]);
      // And an older worker with the newer schema.
      await query(apply(1, null));
      assert.deepEqual(await figures(), [['2000000', null]]);
      await query(apply(2, 0.02));
      assert.deepEqual(await figures(), [['3000000', '0.06']]);
    });
  } finally {
    await withPostgres(admin, (query) => query(`drop database ${name}`));
  }
});

it('hands on the reason of an abort as it is', () =>
  withServer(
    () => undefined,
    async (address) => {
      const controller = new AbortController();
      const reason = new Error('shutting down');
      const call = ledgerAt({ url: address }).jobs({ limit: 1 }, controller.signal);
      setTimeout(() => controller.abort(reason), 100);
      await assert.rejects(call, (error) => error === reason);
      await assert.rejects(ledgerAt({}).jobs({ limit: 1 }, controller.signal), (error) => error === reason);
    },
  ));
