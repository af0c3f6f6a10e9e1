import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Fault } from '../../src/errors.ts';
import type { FaultCode } from '../../src/errors.ts';
import { explainLedgerError } from '../../src/ledger/errors.ts';
import { LEDGER_MIGRATIONS } from '../../src/ledger/schema.ts';
import { ledgerSettings } from '../../src/ledger/settings.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase.ts';

it('the migrations that examine names are those of supabase/migrations', () => {
  const folder = new URL('../../supabase/migrations', import.meta.url);
  assert.deepEqual(LEDGER_MIGRATIONS, readdirSync(folder).toSorted());
});

describe('explainLedgerError', () => {
  it('sorts answers by code, then by status', () => {
    const expected: [status: number, code: string, fault: FaultCode | null][] = [
      [401, '', 'ledger_access_denied'],
      [403, '42501', 'ledger_access_denied'],
      [401, 'PGRST301', 'ledger_access_denied'],
      [401, 'PGRST303', 'ledger_access_denied'],
      [404, 'PGRST202', 'ledger_schema_missing'],
      [404, 'PGRST205', 'ledger_schema_missing'],
      [404, '42P01', 'ledger_schema_missing'],
      [404, '42883', 'ledger_schema_missing'],
      [400, '42703', 'ledger_schema_missing'],
      [0, '', 'ledger_unavailable'],
      [429, '', 'ledger_unavailable'],
      [500, '', 'ledger_unavailable'],
      [503, 'PGRST000', 'ledger_unavailable'],
      [504, 'PGRST003', 'ledger_unavailable'],
      [500, '57014', 'ledger_unavailable'],
      [503, '57P01', 'ledger_unavailable'],
      [409, '40001', 'ledger_unavailable'],
      [400, '40P01', 'ledger_unavailable'],
      [400, '23514', null],
      [409, '23505', null],
      [400, '22P02', null],
      [404, '', 'ledger_unavailable'],
      [301, '', 'ledger_unavailable'],
      [200, '', 'ledger_unavailable'],
      [400, '', 'ledger_unavailable'],
      [413, '', null],
    ];
    for (const [status, code, fault] of expected) {
      const explained = explainLedgerError({ status, error: { code, message: 'quotes a row' } });
      assert.equal(explained instanceof Fault ? explained.code : null, fault, `${status} ${code}`);
      assert.ok(!explained.message.includes('quotes a row'));
    }
  });

  it('says status and code', () => {
    assert.match(explainLedgerError({ status: 400, error: { code: '23514' } }).message, /status 400, 23514/u);
    assert.match(explainLedgerError({ status: 0, error: {} }).message, /no answer at SUPABASE_URL\)/u);
  });

  it('names the setting where no connection comes about', () => {
    const messages: [code: string, hint: RegExp][] = [
      ['ENOTFOUND', /ENOTFOUND; check SUPABASE_URL/u],
      ['ERR_SSL_WRONG_VERSION_NUMBER', /does SUPABASE_URL begin with http:/u],
      ['SELF_SIGNED_CERT_IN_CHAIN', /NODE_EXTRA_CA_CERTS/u],
    ];
    for (const [code, hint] of messages) {
      const details = `TypeError: fetch failed\n\nCaused by: Error: secret (${code})\nat x (node:y)`;
      const { message } = explainLedgerError({ status: 0, error: { details } });
      assert.match(message, hint);
      assert.ok(!message.includes('secret'));
    }
  });
});

describe('ledgerSettings', () => {
  const SUPABASE_URL = 'https://project.supabase.co';
  const jwt = (claims: object) =>
    `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.signature`;
  const problems = (values: Record<string, string>) =>
    ledgerSettings
      .safeParse(values)
      .error?.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`) ?? [];

  it('take no ledger, or one with a key that may write', () => {
    assert.deepEqual(ledgerSettings.parse({}), {});
    for (const SUPABASE_KEY of [jwt({ role: 'service_role' }), 'sb_secret_abc', 'opaque', 'a.b.c']) {
      assert.deepEqual(problems({ SUPABASE_URL, SUPABASE_KEY }), []);
    }
    assert.throws(() => createSupabaseLedger({}), /SUPABASE_URL/u);
  });

  it('refuse keys that never can, without showing them', () => {
    const weak = [jwt({ role: 'anon' }), jwt({ role: 'authenticated' }), 'sb_publishable_abc'];
    for (const SUPABASE_KEY of weak) {
      const [problem = ''] = problems({ SUPABASE_URL, SUPABASE_KEY });
      assert.match(problem, /^SUPABASE_KEY: expected the service-role key/u);
      assert.ok(!problem.includes(SUPABASE_KEY));
    }
    assert.match(
      problems({ SUPABASE_URL })[0] ?? '',
      /^SUPABASE_KEY: expected .* since SUPABASE_URL is set$/u,
    );
    assert.match(problems({ SUPABASE_URL: 'project' })[0] ?? '', /^SUPABASE_URL: expected a URL/u);
  });

  it('refuse the key of another project where key and address tell', () => {
    const SUPABASE_KEY = jwt({ role: 'service_role', ref: 'abcdefghijklmnopqrst' });
    const at = (address: string) => problems({ SUPABASE_URL: address, SUPABASE_KEY });
    assert.deepEqual(at('https://abcdefghijklmnopqrst.supabase.co'), []);
    assert.deepEqual(at('https://ledger.example'), []);
    assert.deepEqual(problems({ SUPABASE_URL, SUPABASE_KEY: jwt({ role: 'service_role' }) }), []);
    const [problem = ''] = at('https://zyxwvutsrqponmlkjihg.supabase.co/');
    assert.match(problem, /^SUPABASE_KEY: .*this one is of another project than SUPABASE_URL$/u);
  });

  it('describe every field in a sentence', () => {
    for (const field of Object.values(ledgerSettings.shape))
      assert.match(field.description ?? '', /^[A-Z].*\.$/u);
  });
});
