import assert from 'node:assert/strict';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Fault, type FaultCode } from '../../src/errors.ts';
import { createServices, type Services } from '../../src/services.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { testStack } from '../support/stack.ts';

// Wrong addresses, keys and TLS of each service, as the adapters of a worker explain them.
const stack = testStack().environment() as Record<string, string>;
const encrypted = createServer(SELF_SIGNED, (_, response) => response.end('{}'));
before(() => new Promise<void>((resolve) => encrypted.listen(0, '127.0.0.1', resolve)));
after(() => {
  encrypted.closeAllConnections();
  encrypted.close();
});
/** Of a server with a certificate that nobody vouches for. */
const tlsHost = (): string => `127.0.0.1:${(encrypted.address() as AddressInfo).port}`;
const withTls = (name: string): string => (stack[name] ?? '').replace(/^http:/u, 'https:');

const signal = AbortSignal.timeout(60_000);
const table = {
  database: stack['MYSQL_DATABASE'] ?? '',
  table: 'nowhere',
  idColumn: 'id',
  tenantColumn: null,
  contentColumns: ['text'],
  contentTemplate: null,
  payloadColumns: [],
  filter: null,
};
const calls = {
  source: ({ source }: Services) => source.ids(table, { after: 0n, upTo: 9n }, 1, signal),
  target: ({ target }: Services) => target.texts('nowhere', ['00000000-0000-4000-8000-000000000000'], signal),
  embedder: ({ embedder }: Services) =>
    embedder.embed({ model: 'text-embedding-3-small', dimensions: 1_536 }, ['hello'], { signal }),
  ledger: ({ ledger }: Services) => ledger?.jobs({ limit: 1 }, signal),
};

/** The fault of a service with these settings; secrets are never in it. */
async function faultOf(call: keyof typeof calls, settings: Record<string, string>): Promise<Fault> {
  const services = createServices(
    { values: { ...stack, ...settings }, warnings: [], isStack: false },
    'test',
  );
  try {
    await calls[call](services);
  } catch (error) {
    assert.ok(error instanceof Fault, String(error));
    assert.doesNotMatch(error.message, /canary/u);
    return error;
  } finally {
    await services.close();
  }
  return assert.fail('it was accepted');
}

const cases: readonly (readonly [
  what: string,
  keyof typeof calls,
  () => Record<string, string>,
  FaultCode,
  RegExp,
])[] = [
  [
    'a wrong password',
    'source',
    () => ({ MYSQL_PASSWORD: 'canary' }),
    'source_access_denied',
    /MYSQL_PASSWORD/u,
  ],
  [
    'an unknown host',
    'source',
    () => ({ MYSQL_HOST: 'nobody.invalid' }),
    'source_unavailable',
    /MYSQL_HOST/u,
  ],
  [
    'TLS asked of a server without',
    'source',
    () => ({ MYSQL_TLS: 'required' }),
    'source_misconfigured',
    /MYSQL_TLS/u,
  ],
  [
    'TLS verified at a server without',
    'source',
    () => ({ MYSQL_TLS: 'verify' }),
    'source_misconfigured',
    /MYSQL_TLS/u,
  ],
  ['a wrong key', 'target', () => ({ QDRANT_API_KEY: 'canary' }), 'target_access_denied', /QDRANT_API_KEY/u],
  [
    'https where there is none',
    'target',
    () => ({ QDRANT_URL: withTls('QDRANT_URL') }),
    'target_refused',
    /QDRANT_URL.*http:\/\//u,
  ],
  [
    'http where https is expected',
    'target',
    () => ({ QDRANT_URL: `http://${tlsHost()}` }),
    'target_unavailable',
    /QDRANT_URL.*https:\/\//u,
  ],
  [
    'a certificate that nobody vouches for',
    'target',
    () => ({ QDRANT_URL: `https://${tlsHost()}` }),
    'target_refused',
    /NODE_EXTRA_CA_CERTS/u,
  ],
  [
    'another service at the address',
    'target',
    () => ({ QDRANT_URL: stack['SUPABASE_URL'] ?? '' }),
    'target_refused',
    /QDRANT_URL/u,
  ],
  [
    'a wrong key',
    'embedder',
    () => ({ OPENAI_API_KEY: 'canary' }),
    'embedding_access_denied',
    /OPENAI_API_KEY/u,
  ],
  [
    'an address without its /v1',
    'embedder',
    () => ({ OPENAI_BASE_URL: (stack['OPENAI_BASE_URL'] ?? '').replace('/v1', '') }),
    'embedding_model_missing',
    /OPENAI_BASE_URL/u,
  ],
  [
    'https where there is none',
    'embedder',
    () => ({ OPENAI_BASE_URL: withTls('OPENAI_BASE_URL') }),
    'embedding_unavailable',
    /OPENAI_BASE_URL/u,
  ],
  [
    'http where https is expected',
    'embedder',
    () => ({ OPENAI_BASE_URL: `http://${tlsHost()}/v1` }),
    'embedding_unavailable',
    /OPENAI_BASE_URL/u,
  ],
  [
    'a certificate that nobody vouches for',
    'embedder',
    () => ({ OPENAI_BASE_URL: `https://${tlsHost()}/v1` }),
    'embedding_unavailable',
    /SELF_SIGNED|certificate/u,
  ],
  [
    'a key of another project',
    'ledger',
    () => ({ SUPABASE_KEY: 'sb_secret_canary' }),
    'ledger_access_denied',
    /SUPABASE_KEY/u,
  ],
  [
    'https where there is none',
    'ledger',
    () => ({ SUPABASE_URL: withTls('SUPABASE_URL') }),
    'ledger_unavailable',
    /SUPABASE_URL/u,
  ],
  [
    'a certificate that nobody vouches for',
    'ledger',
    () => ({ SUPABASE_URL: `https://${tlsHost()}` }),
    'ledger_unavailable',
    /NODE_EXTRA_CA_CERTS/u,
  ],
];

describe('connections', () => {
  for (const [what, call, settings, code, says] of cases) {
    test(`${call}: ${what}`, async () => {
      const fault = await faultOf(call, settings());
      assert.equal(fault.code, code, fault.message);
      assert.match(fault.message, says);
    });
  }
});
