/**
 * What the product relies on in Supabase: on the stack, on a real project where FERRY_TEST_SUPABASE_URL and
 * FERRY_TEST_SUPABASE_KEY (and FERRY_TEST_SUPABASE_ANON_KEY) name one that has the schema, and through proxies that each
 * take one behaviour away, so that the suite is known to notice.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { testStack } from '../support/stack.ts';
import { LedgerLab } from './ledger-lab.ts';
import type { LedgerPlace } from './ledger-lab.ts';
import { ANONYMOUS_CHECKS, LEDGER_CHECKS } from './ledger-suite.ts';
import { itNotices, startPlantedProxy } from './planted-proxy.ts';
import type { Call, Plant, PlantedFault } from './planted-proxy.ts';

const ALL_CHECKS = { ...LEDGER_CHECKS, ...ANONYMOUS_CHECKS };

function stackPlace(): LedgerPlace & { readonly anonKey: string } {
  const { SUPABASE_URL: url = '', SUPABASE_KEY: key = '' } = testStack().environment();
  return { url, key, anonKey: testStack().state().services.postgrest?.connection['anonKey'] ?? '' };
}

function runChecks(open: () => LedgerPlace, checks: typeof LEDGER_CHECKS, skip: string | false): void {
  let lab: LedgerLab | undefined;
  before(() => void (skip === false && (lab = new LedgerLab(open()))));
  after(() => lab?.close());
  for (const [name, check] of Object.entries(checks)) it(name, { skip }, () => check(lab!));
}

describe('the ledger of the stack', () => runChecks(stackPlace, ALL_CHECKS, false));

const {
  FERRY_TEST_SUPABASE_URL: url,
  FERRY_TEST_SUPABASE_KEY: key,
  FERRY_TEST_SUPABASE_ANON_KEY: anonKey,
} = process.env;
const isNamed = url !== undefined && key !== undefined;
const realPlace = (): LedgerPlace => ({ url: url ?? '', key: key ?? '', anonKey: anonKey ?? null });

describe('the ledger of a real Supabase project', () => {
  const skip = isNamed ? false : 'FERRY_TEST_SUPABASE_URL and FERRY_TEST_SUPABASE_KEY are not set';
  runChecks(realPlace, LEDGER_CHECKS, skip);
});

describe('the anonymous key of a real Supabase project', () => {
  const skip = isNamed && anonKey !== undefined ? false : 'FERRY_TEST_SUPABASE_ANON_KEY is not set';
  runChecks(realPlace, ANONYMOUS_CHECKS, skip);
});

/** The names of the checks that fail through a proxy. */
async function failuresWith(plant: Plant): Promise<string[]> {
  const proxy = await startPlantedProxy(stackPlace().url, plant);
  const lab = new LedgerLab({ ...stackPlace(), url: proxy.url });
  const failed: string[] = [];
  try {
    for (const [name, check] of Object.entries(ALL_CHECKS)) await check(lab).catch(() => failed.push(name));
    await lab.close();
  } finally {
    await proxy.close();
  }
  return failed;
}

/** Whether a call is the mirror's. */
const isApply = ({ path }: Call): boolean => path.endsWith('/rpc/ferry_apply_ledger');

/** A plant that changes what the mirror sends. */
const rewriting =
  (rewrite: (body: string) => string): Plant =>
  (call, send) =>
    send(isApply(call) ? { ...call, body: rewrite(call.body) } : call);

interface Sent {
  change: { job: Record<string, unknown>; batches: { batch_number: number; sequence: number }[] };
}

const changing = (change: (sent: Sent['change']) => void): Plant =>
  rewriting((body) => {
    const sent = JSON.parse(body) as Sent;
    // Empty where the anonymous key tries its luck.
    if ('job' in sent.change) change(sent.change);
    return JSON.stringify(sent);
  });

describe('the suite notices a ledger that', () => {
  let raised = 1_000;
  const plants: PlantedFault[] = [
    [
      'says yes and keeps nothing',
      async (call, send) => (isApply(call) ? { status: 204, headers: {}, body: '' } : send(call)),
      'an update arrives with every figure',
    ],
    [
      'works with the anonymous key',
      async (call, send) => {
        const { anonKey: weak } = stackPlace();
        return send({ ...call, headers: { ...call.headers, apikey: weak, authorization: `Bearer ${weak}` } });
      },
      'examine finds tables, functions and key in order',
    ],
    [
      'lets the anonymous key do everything',
      async (call, send) => {
        const { key: strong } = stackPlace();
        return send({
          ...call,
          headers: { ...call.headers, apikey: strong, authorization: `Bearer ${strong}` },
        });
      },
      'the anonymous key reads, writes and executes nothing',
    ],
    [
      'rounds integers beyond 2^53',
      rewriting((body) => body.replaceAll(/\d{16,}/g, (digits) => String(BigInt(Number(digits))))),
      'record ids arrive exactly, beyond 2^53 too',
    ],
    [
      'rounds them in its answers',
      async (call, send) => {
        const reply = await send(call);
        return {
          ...reply,
          body: reply.body.replaceAll(/\d{16,}/g, (digits) => String(BigInt(Number(digits)))),
        };
      },
      'record ids arrive exactly, beyond 2^53 too',
    ],
    [
      'applies an update in several transactions',
      async (call, send) => {
        if (!isApply(call)) return send(call);
        const { change } = JSON.parse(call.body) as Sent;
        if (!('job' in change)) return send(call);
        let reply = await send({ ...call, body: JSON.stringify({ change: { ...change, batches: [] } }) });
        for (const batch of change.batches) {
          reply = await send({ ...call, body: JSON.stringify({ change: { ...change, batches: [batch] } }) });
          if (reply.status >= 400) break;
        }
        return reply;
      },
      'an update is one transaction: refused in part, it leaves nothing',
    ],
    [
      'takes every report for a new one',
      changing(({ batches }) => batches.forEach((batch) => (batch.sequence = raised += 1))),
      'lower sequences are ignored, higher ones are not',
    ],
    [
      'adds repeated reports up',
      async (call, send) => {
        const again = isApply(call)
          ? call.body.replaceAll(/"batch_number":(\d+)/g, '"batch_number":9$1')
          : '';
        if (again !== '') await send({ ...call, body: again });
        return send(call);
      },
      'counters are exact under eight callers at once, on the same batches and on others',
    ],
    [
      'loses failures',
      changing(({ batches }) => batches.forEach((batch) => Object.assign(batch, { failures: [] }))),
      'the last failure of a record is that of the newest job of the name',
    ],
    [
      'knows no price',
      changing(({ job }) => delete job['usd_per_million_tokens']),
      'cost is the price of the tokens, at the price that was known first',
    ],
    [
      'keeps a thousand batches',
      changing((change) => {
        change.batches = change.batches.filter((batch) => batch.batch_number < 1_000);
      }),
      'a job may have more than 1,000 batches',
    ],
    [
      'has no second schema',
      async (call, send) =>
        call.path.includes('ferry_ledger_version')
          ? { status: 404, headers: { 'content-type': 'application/json' }, body: '{"code":"PGRST202"}' }
          : send(call),
      'examine finds tables, functions and key in order',
    ],
  ];
  itNotices(plants, failuresWith);
});

describe('the suite passes', () => {
  it('through a proxy that changes nothing', async () => {
    assert.deepEqual(await failuresWith((call, send) => send(call)), []);
  });

  it('where every call of the mirror arrives twice: that is what sequences are for', async () => {
    const twice: Plant = async (call, send) => {
      if (isApply(call)) await send(call);
      return send(call);
    };
    assert.deepEqual(await failuresWith(twice), []);
  });
});
