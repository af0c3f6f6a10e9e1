import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, it } from 'node:test';

import { createSupabaseLedger } from '../../src/ledger/supabase.ts';
import { literal, withPostgres, type Query } from '../../src/stack/postgres-client.ts';
import { NO_IDS, job, outcome } from '../conformance/ledger-updates.ts';
import { testStack } from '../support/stack.ts';

// Who may do what in the ledger. Tables, views and functions come from the catalog: a new one is tested by itself.

const OUTSIDERS = ['anon', 'authenticated'];
/** All that the schema has and PostgREST could show: tables, views, sequences and functions. */
const RELATIONS =
  "from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r','p','v','m','f')";
const FUNCTIONS = "from pg_proc where pronamespace = 'public'::regnamespace";

let database: string;
let api: string;
let anonKey: string;
let serviceKey: string;
let jwtSecret: string;
/** Of each relation, its columns. */
let columns: ReadonlyMap<string, readonly string[]>;
let relations: readonly string[];
let functions: readonly string[];
const header = job();

before(async () => {
  const { services } = testStack().state();
  database = services.postgres?.connection['url'] ?? '';
  const { url = '', anonKey: anon = '', serviceKey: service = '' } = services.postgrest?.connection ?? {};
  [api, anonKey, serviceKey] = [`${url}/rest/v1`, anon, service];
  jwtSecret = services.postgrest?.secrets['jwtSecret'] ?? '';
  await withPostgres(database, async (query) => {
    const found = await query(
      `select relname, (select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = pg_class.oid
        and attnum > 0 and not attisdropped) ${RELATIONS} order by 1`,
    );
    columns = new Map(found.map(([name, list]) => [name ?? '', (list ?? '').split(',')]));
    relations = [...columns.keys()];
    functions = (await query(`select distinct proname ${FUNCTIONS} order by 1`)).map(([name]) => name ?? '');
  });
  const ledger = createSupabaseLedger({ SUPABASE_URL: url, SUPABASE_KEY: serviceKey });
  const batches = [outcome(0, 0, { records: 1, failed: [['1', 'content_invalid']] })];
  await ledger.apply({ job: header, state: null, batches }, NO_IDS, new AbortController().signal);
});

after(() =>
  withPostgres(database, (query) => query(`delete from ingestion_job where id = ${literal(header.id)}`)),
);

/** A token as an application's user has one. */
function token(claims: Record<string, unknown>, secret = jwtSecret, alg = 'HS256'): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg, typ: 'JWT' })}.${part(claims)}`;
  const signature = alg === 'none' ? '' : createHmac('sha256', secret).update(signed).digest('base64url');
  return `${signed}.${signature}`;
}

const inAnHour = (): number => Math.floor(Date.now() / 1_000) + 3_600;

/** Every way to reach for a relation or function through PostgREST. */
function requests(): [what: string, path: string, init: RequestInit][] {
  const body = JSON.stringify({});
  const write = { 'content-type': 'application/json', prefer: 'return=representation' };
  // Rows of the job here, where a relation has a column for it; the right to write is asked for in any case.
  const [key, ofJob] = [(name: string) => columns.get(name)?.[0] ?? '', `eq.${header.id}`];
  const some = (name: string): string => {
    const column = name === 'ingestion_job' ? 'id' : 'job_id';
    return columns.get(name)?.includes(column) === true ? `${column}=${ofJob}` : `${key(name)}=is.null`;
  };
  return [
    ...relations.flatMap((name): [string, string, RequestInit][] => [
      [`read ${name}`, name, {}],
      [`count ${name}`, name, { method: 'HEAD', headers: { prefer: 'count=exact' } }],
      [`insert into ${name}`, name, { method: 'POST', body, headers: write }],
      [
        `update ${name}`,
        `${name}?${some(name)}`,
        { method: 'PATCH', body: JSON.stringify({ [key(name)]: null }), headers: write },
      ],
      [`delete from ${name}`, `${name}?${some(name)}`, { method: 'DELETE', headers: write }],
    ]),
    ...functions.flatMap((name): [string, string, RequestInit][] => [
      [`execute ${name}`, `rpc/${name}`, { method: 'POST', body, headers: write }],
      [
        `execute ${name} with an argument`,
        `rpc/${name}`,
        { method: 'POST', body: '{"change":{}}', headers: write },
      ],
      [`execute ${name} by GET`, `rpc/${name}`, {}],
    ]),
  ];
}

async function ask(path: string, init: RequestInit, key: string, bearer = key): Promise<Response> {
  const headers = {
    ...(init.headers as Record<string, string>),
    apikey: key,
    authorization: `Bearer ${bearer}`,
  };
  return fetch(`${api}/${path}`, { ...init, headers });
}

/** A digest of all rows about the job, so that a change of any of them is seen. */
async function everything(): Promise<unknown> {
  return withPostgres(database, async (query) => {
    const digests: unknown[] = [];
    for (const name of relations) {
      const rows = `(select t::text as row from public.${name} t) as rows where row like ${literal(`%${header.id}%`)}`;
      digests.push(await query(`select count(*), md5(string_agg(row, '|' order by row)) from ${rows}`));
    }
    return digests;
  });
}

/** What an outsider holds in the schema and should not, one sentence each. */
async function holdings(query: Query): Promise<string[]> {
  const roles = `unnest(array[${OUTSIDERS.map(literal).join(', ')}]) as role`;
  const rows = await query(`
    select role || ' may ' || privilege || ' ' || relname
      from (select oid, relname ${RELATIONS}) as relation, ${roles},
        unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as privilege
      where has_table_privilege(role, oid, privilege)
    union all
    select role || ' may ' || privilege || ' columns of ' || relname
      from (select oid, relname ${RELATIONS}) as relation, ${roles},
        unnest(array['select', 'insert', 'update', 'references']) as privilege
      where has_any_column_privilege(role, oid, privilege)
    union all
    select role || ' may use ' || relname
      from (select oid, relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'S') as sequence,
        ${roles}, unnest(array['usage', 'select', 'update']) as privilege
      where has_sequence_privilege(role, oid, privilege)
    union all
    select role || ' may execute ' || oid::regprocedure
      from (select oid ${FUNCTIONS}) as function, ${roles} where has_function_privilege(role, oid, 'execute')
    union all
    select role || ' may create in public' from ${roles} where has_schema_privilege(role, 'public', 'create')
    union all
    select role || ' may create in the database' from ${roles}
      where has_database_privilege(role, current_database(), 'create')
    union all
    select role || ' passes row level security' from pg_roles, ${roles}
      where rolname = role and (rolbypassrls or rolsuper)
    union all
    select role || ' is a member of service_role' from ${roles} where pg_has_role(role, 'service_role', 'member')
    union all
    select relname || ' has no row level security' ${RELATIONS} and relkind in ('r', 'p') and not relrowsecurity
    union all
    select relname || ' shows rows as its owner sees them' ${RELATIONS} and relkind in ('v', 'm')
      and not coalesce(reloptions @> array['security_invoker=true'], false)
    union all
    select tablename || ' has a policy' from pg_policies where schemaname = 'public'
    union all
    select oid::regprocedure || ' runs as its owner' ${FUNCTIONS} and prosecdef
    union all
    select oid::regprocedure || ' finds tables by the path of whoever calls it' ${FUNCTIONS}
      and not coalesce(array_to_string(proconfig, ',') like '%search_path=%', false)`);
  return rows.map(([sentence]) => sentence ?? '');
}

describe('the ledger holds', () => {
  it('its tables and functions', () => {
    for (const name of ['ingestion_batch', 'ingestion_failure', 'ingestion_job'])
      assert.ok(relations.includes(name));
    for (const name of ['ferry_apply_ledger', 'ferry_ledger_version']) assert.ok(functions.includes(name));
  });

  it('nothing that an outsider may use, as the catalog has it', async () => {
    assert.deepEqual(await withPostgres(database, holdings), []);
  });

  for (const [what, sql, finding] of [
    [
      'a table without row level security',
      'create table public.forgotten (id int)',
      'forgotten has no row level security',
    ],
    [
      'a table with the default grants',
      'create table public.forgotten (id int)',
      'anon may select forgotten',
    ],
    [
      'a readable column',
      'grant select (name) on public.ingestion_job to authenticated',
      'authenticated may select columns of ingestion_job',
    ],
    [
      'a function with the default grants',
      "create function public.forgotten() returns int language sql as 'select 1'",
      'anon may execute forgotten()',
    ],
    [
      'a view of the owner',
      'create view public.forgotten as select * from public.ingestion_job',
      'forgotten shows rows as its owner sees them',
    ],
    [
      'a policy',
      'create policy forgotten on public.ingestion_job using (true)',
      'ingestion_job has a policy',
    ],
    ['an open schema', 'grant create on schema public to anon', 'anon may create in public'],
  ] as const) {
    it(`and ${what} would be found`, async () => {
      const found = await withPostgres(database, async (query) => {
        await query('begin');
        await query(sql);
        const sentences = await holdings(query);
        await query('rollback');
        return sentences;
      });
      assert.ok(found.includes(finding), found.join('\n'));
    });
  }
});

describe('through PostgREST', () => {
  const keys: [who: string, bearer: () => string][] = [
    ['the anonymous key', () => anonKey],
    ['a user who is logged in', () => token({ role: 'authenticated', sub: 'a-user', exp: inAnHour() })],
    [
      'a token of the service role that nobody signed',
      () => token({ role: 'service_role', exp: inAnHour() }, '', 'none'),
    ],
    [
      'a token of the service role signed by another secret',
      () => token({ role: 'service_role', exp: inAnHour() }, 'x'.repeat(64)),
    ],
    ['a token of the service role that has expired', () => token({ role: 'service_role', exp: 1 })],
    ['a token of a role that is none of the three', () => token({ role: 'postgres', exp: inAnHour() })],
  ];
  for (const [who, bearer] of keys) {
    it(`${who} reads, writes and executes nothing`, async () => {
      const before = await everything();
      for (const [what, path, init] of requests()) {
        const response = await ask(path, init, anonKey, bearer());
        const text = await response.text();
        // A function that returns a trigger, or has other arguments, is not there for PostgREST: 404.
        const refused = path.startsWith('rpc/') ? [401, 403, 404] : [401, 403];
        assert.ok(refused.includes(response.status), `${what}: ${response.status} ${text}`);
        assert.doesNotMatch(text, new RegExp(header.id), what);
      }
      assert.deepEqual(await everything(), before);
    });
  }

  it('an outsider is not even told what there is', async () => {
    for (const bearer of [anonKey, token({ role: 'authenticated', exp: inAnHour() })]) {
      const description = await (await ask('', {}, anonKey, bearer)).text();
      for (const name of [...relations, ...functions]) assert.ok(!description.includes(name), name);
    }
  });

  it('without a key, or with a wrong one, nothing is passed on', async () => {
    for (const headers of [{}, { apikey: 'wrong' }, { authorization: `Bearer ${serviceKey}` }]) {
      for (const [what, path, init] of requests()) {
        const given = { ...(init.headers as Record<string, string>), ...headers } as Record<string, string>;
        assert.equal((await fetch(`${api}/${path}`, { ...init, headers: given })).status, 401, what);
      }
    }
  });

  it('the service key does read and execute: the requests themselves are right', async () => {
    for (const name of relations) {
      const response = await ask(name, {}, serviceKey);
      assert.equal(response.status, 200, name);
      assert.ok(Array.isArray(await response.json()));
    }
    const version = await ask(
      'rpc/ferry_ledger_version',
      { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } },
      serviceKey,
    );
    assert.equal(version.status, 200);
    assert.ok(Number(await version.text()) > 0);
    const description = await (await ask('', {}, serviceKey)).text();
    for (const name of relations) assert.ok(description.includes(name), name);
  });
});
