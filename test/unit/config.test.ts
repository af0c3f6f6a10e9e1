import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import {
  checkJob,
  checkWorker,
  defaultJobName,
  jobSpecification,
  ledgerConfig,
  readEnvironment,
  serviceConfig,
  temporalConfig,
  workerConfig,
  type Environment,
} from '../../src/config.ts';
import { InputError } from '../../src/errors.ts';

/** What the product cannot do without. */
const REQUIRED = {
  MYSQL_HOST: 'db.example',
  MYSQL_USER: 'reader',
  MYSQL_DATABASE: 'shop',
  QDRANT_URL: 'http://qdrant.example:6333',
  OPENAI_API_KEY: 'sk-required',
};

/** A JWT with this role; its signature is nobody's. */
function keyOf(role: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ role })}.c2lnbmF0dXJl`;
}

// Each file of tests has a process of its own, so its folder and environment may be changed here.
const before = { cwd: process.cwd(), env: { ...process.env } };
const home = realpathSync(mkdtempSync(join(tmpdir(), 'ferry-config-')));

beforeEach(() => {
  process.chdir(home);
  rmSync('.env', { force: true });
  setEnvironment({});
});
afterEach(() => {
  process.chdir(before.cwd);
  replaceEnvironment(before.env);
});
after(() => rmSync(home, { recursive: true, force: true }));

/** These variables and nothing else, but for a folder without a stack. */
function setEnvironment(variables: Readonly<Record<string, string>>): void {
  replaceEnvironment({ HOME: home, FERRY_STACK_DIR: join(home, 'no-stack'), ...variables });
}

function replaceEnvironment(variables: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, variables);
}

function writeEnvFile(variables: Readonly<Record<string, string>>): void {
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync('.env', lines.join(''));
}

/** The problems that a call reports. */
function problemsOf(call: () => unknown): readonly string[] {
  return errorOf(call).problems;
}

function errorOf(call: () => unknown): InputError {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error;
  }
  return assert.fail('nothing was wrong');
}

describe('precedence', () => {
  const batchSize = (flags: { batchSize?: string } = {}) =>
    jobSpecification(readEnvironment(), flags).batchSize;

  it('defaults, then ./.env, then the environment, then flags', () => {
    setEnvironment(REQUIRED);
    assert.equal(batchSize(), 100);
    writeEnvFile({ BATCH_SIZE: '11' });
    assert.equal(batchSize(), 11);
    setEnvironment({ ...REQUIRED, BATCH_SIZE: '22' });
    assert.equal(batchSize(), 22);
    assert.equal(batchSize({ batchSize: '33' }), 33);
  });

  it('each name by itself', () => {
    writeEnvFile({ ...REQUIRED, MYSQL_HOST: 'from-file', MYSQL_PORT: '3307' });
    setEnvironment({ MYSQL_HOST: 'from-environment' });
    const { MYSQL_HOST, MYSQL_PORT, MYSQL_USER } = serviceConfig(readEnvironment());
    assert.deepEqual([MYSQL_HOST, MYSQL_PORT, MYSQL_USER], ['from-environment', 3307, 'reader']);
  });

  it('Temporal is found in the same places', () => {
    writeEnvFile({ TEMPORAL_ADDRESS: 'file.example:7233', TEMPORAL_NAMESPACE: 'from-file' });
    setEnvironment({ TEMPORAL_ADDRESS: 'environment.example:7233' });
    const { connectionOptions, namespace } = temporalConfig(readEnvironment());
    assert.deepEqual([connectionOptions.address, namespace], ['environment.example:7233', 'from-file']);
  });

  it('what shapes a job is in its specification, flags included', () => {
    setEnvironment({ ...REQUIRED, MYSQL_TENANT_COLUMN: 'none', MYSQL_PAYLOAD_COLUMNS: ' title, lang ,' });
    const specification = jobSpecification(readEnvironment(), { limit: 5, prune: true, concurrency: '7' });
    assert.equal(specification.source, 'shop/ip_summary');
    assert.equal(specification.table.tenantColumn, null);
    assert.deepEqual(specification.table.payloadColumns, ['title', 'lang']);
    assert.deepEqual([specification.limit, specification.prune, specification.concurrency], [5, true, 7]);
    assert.equal(specification.heartbeatIntervalMs, 30_000);
    assert.equal(specification.batchTimeoutMs, 600_000);
    assert.equal(specification.patienceMs, 86_400_000);
  });
});

describe('an empty value', () => {
  it('counts as unset: the default holds', () => {
    setEnvironment({ ...REQUIRED, MYSQL_PORT: '', WORKER_LOG_LEVEL: '' });
    assert.equal(serviceConfig(readEnvironment()).MYSQL_PORT, 3306);
    assert.equal(workerConfig(readEnvironment()).WORKER_LOG_LEVEL, 'INFO');
  });

  it('counts as unset: a required setting is missing', () => {
    setEnvironment({ ...REQUIRED, MYSQL_HOST: '' });
    assert.deepEqual(
      problemsOf(() => serviceConfig(readEnvironment())).map((problem) => problem.split(':')[0]),
      ['MYSQL_HOST'],
    );
  });
});

describe('problems', () => {
  it('are reported all at once, each with its variable and what is expected', () => {
    setEnvironment({
      MYSQL_HOST: 'db.example',
      MYSQL_DATABASE: 'shop',
      MYSQL_PORT: '99999',
      QDRANT_URL: 'qdrant.example',
      OPENAI_TPM: 'many',
      SUPABASE_URL: 'https://project.example',
    });
    const problems = problemsOf(() => serviceConfig(readEnvironment()));
    assert.deepEqual(problems.map((problem) => problem.split(':')[0]).toSorted(), [
      'MYSQL_PORT',
      'MYSQL_USER',
      'OPENAI_API_KEY',
      'OPENAI_TPM',
      'QDRANT_URL',
      'SUPABASE_KEY',
    ]);
    for (const problem of problems) assert.match(problem, /: (?:is not set; )?(?:expected|must be) .+\.$/u);
    for (const name of ['MYSQL_USER', 'OPENAI_API_KEY', 'SUPABASE_KEY']) {
      assert.ok(problems.some((problem) => problem.startsWith(`${name}: is not set; `)));
    }
  });

  it('of a job are found before it starts', () => {
    setEnvironment({
      ...REQUIRED,
      BATCH_SIZE: '1001',
      MAX_WORKERS: '0',
      MYSQL_TABLE: 'a.b.c',
      MYSQL_FILTER: 'a = 1; DROP TABLE x',
      QDRANT_BINARY_QUANTIZATION: 'yes',
      MYSQL_PAYLOAD_COLUMNS: 'title,text',
      SOURCE_LABEL: 'my shop',
    });
    assert.deepEqual(
      problemsOf(() => jobSpecification(readEnvironment(), {}))
        .map((problem) => problem.split(':')[0])
        .toSorted(),
      [
        'BATCH_SIZE',
        'MAX_WORKERS',
        'MYSQL_FILTER',
        'MYSQL_PAYLOAD_COLUMNS',
        'MYSQL_TABLE',
        'QDRANT_BINARY_QUANTIZATION',
        'SOURCE_LABEL',
      ],
    );
  });

  it('of names that could leave their quotes are found, in every setting that holds one', () => {
    const names = [
      'a`b',
      "a'b",
      'a"b',
      'a;b',
      'a # b',
      'a/*b*/',
      'a\0b',
      'a\nb',
      'x'.repeat(65),
      'a.b.c',
      '(select 1)',
    ];
    const settings = [
      'MYSQL_TABLE',
      'MYSQL_ID_COLUMN',
      'MYSQL_TENANT_COLUMN',
      'MYSQL_CONTENT_COLUMN',
      'MYSQL_PAYLOAD_COLUMNS',
    ];
    for (const setting of settings) {
      for (const name of names) {
        const environment = { values: { ...REQUIRED, [setting]: name }, warnings: [], isStack: false };
        const problems = problemsOf(() => jobSpecification(environment, {}));
        assert.ok(
          problems.length > 0 && problems.every((problem) => problem.startsWith(`${setting}: expected `)),
          `${setting}: ${name}`,
        );
      }
    }
  });

  it('of filters that could leave their parentheses are found', () => {
    const filters = [
      'a = 1; DELETE FROM x',
      'a = 1 -- x',
      'a = 1 # x',
      'a = 1 /* x',
      "a = 'x",
      'a = "x',
      '(a = 1',
      'a = 1) OR (1',
      'a = 1\0',
      '   ',
    ];
    for (const filter of filters) {
      const environment = { values: { ...REQUIRED, MYSQL_FILTER: filter }, warnings: [], isStack: false };
      const [problem, ...others] = problemsOf(() => jobSpecification(environment, {}));
      assert.match(
        problem ?? '',
        /^MYSQL_FILTER: expected a condition in SQL such as deleted = 0; it .+\.$/u,
        filter,
      );
      assert.deepEqual(others, []);
    }
  });

  it('of flags are reported under the flag', () => {
    setEnvironment(REQUIRED);
    assert.deepEqual(
      problemsOf(() => jobSpecification(readEnvironment(), { batchSize: '5000', concurrency: 'all' })),
      [
        '--batch-size (BATCH_SIZE): expected a whole number from 1 to 1000.',
        '--concurrency (MAX_WORKERS): expected a whole number from 1 to 500.',
      ],
    );
  });

  it('of a worker are found in all of its parts at once, in the order of .env.example', () => {
    setEnvironment({
      WORKER_SLOTS: '0',
      TEMPORAL_TLS: 'True',
      SUPABASE_URL: 'x',
      MYSQL_TLS: 'on',
      OPENAI_API_KEY: 'k',
    });
    const error = errorOf(() => checkWorker(readEnvironment()));
    const named = error.report.split('\n').flatMap((line) => /^ {2}([A-Z_]+): /u.exec(line)?.[1] ?? []);
    assert.deepEqual(
      named,
      [
        ...['MYSQL_HOST', 'MYSQL_USER', 'MYSQL_DATABASE', 'MYSQL_TLS', 'QDRANT_URL', 'SUPABASE_URL'],
        ...['SUPABASE_KEY', 'TEMPORAL_TLS', 'WORKER_SLOTS'],
      ].filter((name) => error.problems.some((problem) => problem.startsWith(`${name}: `))),
    );
    assert.equal(named.length, error.problems.length);
    assert.match(
      error.report,
      /^\d+ settings are missing or malformed:\n\nSource \(MySQL or MariaDB\)\n {2}MYSQL_/u,
    );
    assert.match(error.report, /\.env\.example/u);
  });

  it('of a job and of its workers are found at once where nothing is set', () => {
    const named = (settings: Readonly<Record<string, string>>) => {
      setEnvironment(settings);
      const environment = readEnvironment();
      return problemsOf(() => checkJob(environment, (read) => jobSpecification(read, {})))
        .map((problem) => problem.split(':')[0])
        .toSorted();
    };
    assert.deepEqual(named({}), Object.keys(REQUIRED).toSorted());
    assert.deepEqual(named({ TEMPORAL_ADDRESS: 'temporal.example:7233' }), ['MYSQL_DATABASE']);
    // What only workers need is no problem of a machine that starts jobs.
    assert.deepEqual(named({ MYSQL_DATABASE: 'shop', BATCH_SIZE: '0' }), ['BATCH_SIZE']);
  });

  it('of Temporal are found before its library takes them for something else', () => {
    for (const [name, value] of [
      ['TEMPORAL_ADDRESS', 'http://temporal.example:7233'],
      ['TEMPORAL_ADDRESS', 'temporal.example:7233/x'],
      ['TEMPORAL_TLS', 'yes'],
      ['TEMPORAL_TLS_DISABLE_HOST_VERIFICATION', 'no'],
    ] as const) {
      setEnvironment({ [name]: value });
      assert.match(
        problemsOf(() => temporalConfig(readEnvironment())).join(),
        new RegExp(`^${name}: expected `, 'u'),
      );
    }
    for (const address of ['localhost', 'temporal.example:7233', '10.0.0.1:7233', '[::1]:7233']) {
      setEnvironment({ TEMPORAL_ADDRESS: address });
      assert.equal(temporalConfig(readEnvironment()).connectionOptions.address, address);
    }
  });

  it('between settings are found', () => {
    setEnvironment({ ...REQUIRED, CHUNK_CHILD_TOKENS: '2000', CHUNK_OVERLAP_TOKENS: '2000' });
    assert.deepEqual(
      problemsOf(() => jobSpecification(readEnvironment(), {})).map((problem) => problem.split(':')[0]),
      ['CHUNK_CHILD_TOKENS', 'CHUNK_OVERLAP_TOKENS'],
    );
  });

  it('never quote a secret', () => {
    const secrets = {
      MYSQL_PASSWORD: 'hunter2-mysql',
      OPENAI_API_KEY: 'sk-hunter2 with a space',
      QDRANT_API_KEY: 'hunter2-qdräntkey',
      SUPABASE_KEY: keyOf('anon'),
    };
    setEnvironment({ ...REQUIRED, SUPABASE_URL: 'https://project.example', MYSQL_HOST: '', ...secrets });
    const environment = readEnvironment();
    const messages = [
      ...problemsOf(() => serviceConfig(environment)),
      ...problemsOf(() => ledgerConfig(environment)),
      ...environment.warnings,
    ].join('\n');
    for (const name of ['OPENAI_API_KEY', 'QDRANT_API_KEY', 'SUPABASE_KEY']) {
      assert.ok(messages.includes(`${name}: `), `${name} is not named`);
    }
    for (const secret of Object.values(secrets)) assert.ok(!messages.includes(secret));
    assert.doesNotMatch(messages, /hunter2|with a space|c2lnbmF0dXJl/u);
  });

  it('of an address with a login in it do not repeat it', () => {
    setEnvironment({ ...REQUIRED, QDRANT_URL: 'https://me:hunter2@qdrant.example' });
    const [problem] = problemsOf(() => serviceConfig(readEnvironment()));
    assert.match(problem ?? '', /^QDRANT_URL: .*without login/u);
    assert.doesNotMatch(problem ?? '', /hunter2/u);
  });
});

describe('names', () => {
  it('that look like misspelt ones of ours are warned about', () => {
    setEnvironment({ ...REQUIRED, QDRANT_URI: 'x', BATCHSIZE: '7', TEMPORAL_ADRESS: 'x', mysql_host: 'x' });
    assert.deepEqual(
      readEnvironment().warnings.map((warning) =>
        /^(\S+) is not .* did you mean (\S+)\?$/u.exec(warning)?.slice(1),
      ),
      [
        ['QDRANT_URI', 'QDRANT_URL'],
        ['BATCHSIZE', 'BATCH_SIZE'],
        ['TEMPORAL_ADRESS', 'TEMPORAL_ADDRESS'],
        ['mysql_host', 'MYSQL_HOST'],
      ],
    );
  });

  it('in ./.env are checked too', () => {
    writeEnvFile({ ...REQUIRED, MAX_RETRYS: '1' });
    assert.deepEqual(readEnvironment().warnings.length, 1);
  });

  it('of other applications are ignored', () => {
    writeEnvFile({ ...REQUIRED, DATABASE_URL: 'x', NEXT_PUBLIC_API: 'x', REDIS_HOST: 'x' });
    setEnvironment({ PATH: '/bin', LANG: 'C', LC_ALL: 'C', TERM: 'dumb', npm_config_cache: 'x' });
    const environment = readEnvironment();
    assert.deepEqual(environment.warnings, []);
    assert.equal(serviceConfig(environment).MYSQL_HOST, 'db.example');
  });

  it('of variables that Temporal reads cause no warning', () => {
    setEnvironment({
      ...REQUIRED,
      TEMPORAL_ADDRESS: 'x:1',
      TEMPORAL_TLS_SERVER_NAME: 'x',
      TEMPORAL_PROFILE: 'x',
    });
    assert.deepEqual(readEnvironment().warnings, []);
  });
});

describe('the name of a job', () => {
  it('is <table>-to-<collection as asked> unless it is given', () => {
    assert.equal(defaultJobName(readEnvironment()), 'ip_summary-to-memos');
    setEnvironment({ MYSQL_TABLE: 'shop.texts', QDRANT_COLLECTION_NAME: 'notes' });
    assert.equal(defaultJobName(readEnvironment()), 'shop.texts-to-notes');
  });
});

describe('the ledger', () => {
  it('is optional', () => {
    setEnvironment(REQUIRED);
    assert.equal(ledgerConfig(readEnvironment()).SUPABASE_URL, undefined);
  });

  it('needs its key', () => {
    setEnvironment({ ...REQUIRED, SUPABASE_URL: 'https://project.example' });
    const [problem] = problemsOf(() => ledgerConfig(readEnvironment()));
    assert.match(problem ?? '', /^SUPABASE_KEY: is not set; expected the service-role key/u);
  });

  it('refuses keys that could never write it', () => {
    for (const key of [keyOf('anon'), keyOf('authenticated'), 'sb_publishable_abc']) {
      setEnvironment({ ...REQUIRED, SUPABASE_URL: 'https://project.example', SUPABASE_KEY: key });
      assert.match(
        problemsOf(() => ledgerConfig(readEnvironment())).join(),
        /^SUPABASE_KEY: expected the service-role/u,
      );
    }
  });

  it('takes service-role keys of both kinds', () => {
    for (const key of [keyOf('service_role'), 'sb_secret_abc']) {
      setEnvironment({ ...REQUIRED, SUPABASE_URL: 'https://project.example', SUPABASE_KEY: key });
      assert.equal(ledgerConfig(readEnvironment()).SUPABASE_KEY, key);
    }
  });
});

describe('the local stack', () => {
  it('is not used where none is running', () => {
    assert.equal(readEnvironment().isStack, false);
    assert.match(problemsOf(() => readEnvironment({ useStack: true })).join(), /^--stack: .*ferry stack up/u);
  });

  const STACK = {
    mariadb: { host: '127.0.0.1', port: '3399', user: 'ferry', password: 'pw', database: 'ferry' },
    qdrant: { url: 'http://127.0.0.1:6399', apiKey: 'stack-key' },
    embeddings: { baseUrl: 'http://127.0.0.1:6398/v1', apiKey: 'stack-key' },
    temporal: { address: '127.0.0.1:7299', namespace: 'stack', uiUrl: 'http://127.0.0.1:8299' },
  };

  /** A stack without processes runs for as long as its file is there. */
  function withStack(settings: Readonly<Record<string, string>>): Environment {
    const dir = join(home, 'stack');
    mkdirSync(dir, { recursive: true });
    const services = Object.entries(STACK).map(([name, connection]) => [name, { connection, processes: [] }]);
    const state = { format: 'vector-ferry stack 1', dir, services: Object.fromEntries(services) as object };
    writeFileSync(join(dir, 'stack.json'), JSON.stringify(state));
    setEnvironment({ ...settings, FERRY_STACK_DIR: dir });
    return readEnvironment({ useStack: 'MYSQL_HOST' in settings });
  }

  const OWN = {
    MYSQL_ROWS_PER_SECOND: '20',
    MYSQL_POOL_SIZE: '3',
    QDRANT_TIMEOUT_SECONDS: '7',
    OPENAI_RPM: '60',
    OPENAI_MAX_CONCURRENCY: '2',
    WORKER_SLOTS: '4',
  };

  for (const [how, production] of [
    ['used by itself', {}],
    ['asked for', { ...REQUIRED, MYSQL_PASSWORD: 'x', TEMPORAL_ADDRESS: 'temporal.example:7233' }],
  ] as const) {
    it(`${how}: settings that are no places hold`, () => {
      const environment = withStack({ ...production, ...OWN });
      assert.equal(environment.isStack, true);
      const settings = { ...serviceConfig(environment), ...workerConfig(environment) };
      for (const [name, value] of Object.entries(OWN)) {
        assert.equal(settings[name as keyof typeof settings], Number(value), name);
      }
    });

    it(`${how}: they are checked`, () => {
      const wrong = { MYSQL_POOL_SIZE: 'abc', OPENAI_RPM: 'abc', QDRANT_TIMEOUT_SECONDS: '0' };
      assert.deepEqual(
        problemsOf(() => checkWorker(withStack({ ...production, ...wrong })))
          .map((problem) => problem.split(':')[0])
          .toSorted(),
        Object.keys(wrong).toSorted(),
      );
    });
  }

  it('mixes with no place, secret or ledger of another', () => {
    const environment = withStack({
      ...REQUIRED,
      MYSQL_PORT: '1',
      MYSQL_TLS: 'verify',
      MYSQL_CA: '/nowhere/ca.pem',
      QDRANT_API_KEY: 'canary',
      OPENAI_BASE_URL: 'https://models.example/v1',
      OPENAI_ORG_ID: 'canary',
      OPENAI_PROJECT_ID: 'canary',
      SUPABASE_URL: 'https://project.example',
      SUPABASE_KEY: 'canary',
      TEMPORAL_ADDRESS: 'temporal.example:7233',
      TEMPORAL_API_KEY: 'canary',
      TEMPORAL_TLS: 'true',
    });
    assert.doesNotMatch(JSON.stringify(environment.values), /canary|example|nowhere|verify/u);
    const settings = serviceConfig(environment);
    assert.deepEqual([settings.MYSQL_HOST, settings.MYSQL_PORT], ['127.0.0.1', 3399]);
    assert.equal(settings.OPENAI_BASE_URL, 'http://127.0.0.1:6398/v1');
    assert.equal(settings.SUPABASE_URL, undefined);
    assert.equal(temporalConfig(environment).connectionOptions.address, '127.0.0.1:7299');
  });
});
