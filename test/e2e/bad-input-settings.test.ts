import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { Ferry, type Ended } from '../support/command.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { testStack } from '../support/stack.ts';

// What is refused before anything is asked of a server; only the cases of Temporal have one.
const ferry = new Ferry();
after(() => ferry.close());

/** It ends with 2 and says nothing but what is wrong. @returns its lines without the one that names the servers */
function refused({ code, stdout, stderr }: Ended): string[] {
  assert.deepEqual([code, stdout], [2, ''], stderr);
  return stderr.split('\n').filter((line) => line !== '' && !/^Temporal \S+, namespace/u.test(line));
}

const names = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => /^ *([A-Z][A-Z\d_]+): /u.exec(line)?.[1] ?? []);

const UNSET = 'Settings are read from the environment and from a file .env in the current folder';

describe('without any setting', () => {
  const needed = ['MYSQL_HOST', 'MYSQL_USER', 'MYSQL_DATABASE', 'QDRANT_URL', 'OPENAI_API_KEY'];

  for (const command of ['start', 'plan', 'preflight', 'search words', 'plan --local', 'preflight --local']) {
    test(`\`ferry ${command}\` names all that is missing at once, and says how to begin`, async () => {
      const lines = refused(await ferry.run(command.split(' ')));
      assert.equal(lines[0], '5 settings are missing or malformed:');
      assert.deepEqual(names(lines).toSorted(), needed.toSorted());
      assert.match(
        lines.slice(-3).join('\n'),
        /^Settings are read .* \.env .*\n.*\.env\.example .*\n.*ferry stack up/u,
      );
    });
  }

  test('`ferry run` without a terminal names them too, and --yes', async () => {
    const lines = refused(await ferry.run(['run']));
    assert.deepEqual(names(lines).toSorted(), needed.toSorted());
    assert.ok(
      lines.some((line) => line.startsWith('  --yes: there is no terminal')),
      lines.join('\n'),
    );
  });

  test('but Temporal: `ferry start` asks for no server that only workers need', async () => {
    const lines = refused(await ferry.run(['start'], { TEMPORAL_ADDRESS: '127.0.0.1:1' }));
    assert.deepEqual(names(lines), ['MYSQL_DATABASE']);
    assert.equal(lines[0], 'MYSQL_DATABASE: is not set; expected the name of a database.');
  });

  test('`ferry worker` lists what is missing by service', async () => {
    const lines = refused(await ferry.run(['worker']));
    assert.equal(lines[0], '5 settings are missing or malformed:');
    assert.deepEqual(lines.filter((line) => /^\S/u.test(line)).slice(1, 4), [
      'Source (MySQL or MariaDB)',
      'Target (Qdrant)',
      'Embedding service (OpenAI or compatible)',
    ]);
    assert.deepEqual(names(lines), needed);
    for (const line of lines.filter((each) => each.startsWith('  '))) {
      assert.match(line, /^ {2}[A-Z_]+: is not set; expected .+\.$/u);
    }
    assert.ok(lines.some((line) => line.startsWith(UNSET)));
  });

  test('nor a home folder: commands that need none do not ask for it', async () => {
    assert.equal((await ferry.run(['--help'], { HOME: '' })).code, 0);
    const [line] = refused(
      await ferry.run(['list'], { HOME: '', FERRY_STACK_DIR: '', TEMPORAL_ADDRESS: '127.0.0.1:1' }),
    );
    assert.match(line ?? '', /^TEMPORAL_ADDRESS: .*127\.0\.0\.1:1/u);
    const start = refused(await ferry.run(['start'], { HOME: '', FERRY_STACK_DIR: '' }));
    assert.deepEqual(names(start).toSorted(), needed.toSorted());
  });
});

describe('many mistakes at once', () => {
  const wrong = {
    TEMPORAL_ADDRESS: 'http://temporal.example',
    TEMPORAL_TLS: 'yes',
    MYSQL_HOST: 'db.example',
    MYSQL_DATABASE: 'shop',
    MYSQL_PORT: '99999',
    MYSQL_TLS: 'maybe',
    QDRANT_URL: 'qdrant.example',
    QDRANT_URI: 'https://qdrant.example',
    OPENAI_API_KEY: 'sk-canary with spaces',
    OPENAI_TPM: 'many',
    SUPABASE_URL: 'https://project.example',
    WORKER_SLOTS: '0',
    BATCH_SIZE: '5000',
    MAX_WORKERS: 'all',
    MYSQL_TABLE: 'a;b',
    MYSQL_FILTER: 'id = (1',
    BM25_LANGUAGE: 'klingon',
    CHUNK_CHILD_TOKENS: '2000',
  };

  test('of a worker are one list, with the near-miss of a name and without any secret', async () => {
    const lines = refused(await ferry.run(['worker'], wrong));
    assert.equal(lines[0], '! QDRANT_URI is not a setting of Vector Ferry; did you mean QDRANT_URL?');
    assert.equal(lines[1], '10 settings are missing or malformed:');
    assert.deepEqual(names(lines), [
      ...['MYSQL_PORT', 'MYSQL_USER', 'MYSQL_TLS', 'QDRANT_URL', 'OPENAI_API_KEY', 'OPENAI_TPM'],
      ...['SUPABASE_KEY', 'TEMPORAL_ADDRESS', 'TEMPORAL_TLS', 'WORKER_SLOTS'],
    ]);
    assert.doesNotMatch(lines.join('\n'), /canary/u);
  });

  test('of a job too, flags under their own names', async () => {
    const lines = refused(await ferry.run(['start', '--concurrency', '0'], wrong));
    assert.deepEqual(names(lines), [
      ...['MYSQL_TABLE', 'MYSQL_FILTER', 'BM25_LANGUAGE', 'TEMPORAL_ADDRESS', 'TEMPORAL_TLS'],
      ...['BATCH_SIZE', 'CHUNK_CHILD_TOKENS'],
    ]);
    assert.ok(
      lines.includes('  --concurrency (MAX_WORKERS): expected a whole number from 1 to 500.'),
      lines.join('\n'),
    );
  });
});

describe('flags', { concurrency: 4 }, () => {
  const job = { MYSQL_DATABASE: 'shop', TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const cases: readonly (readonly [args: readonly string[], says: RegExp])[] = [
    ...['0', '-5', '1e3', 'abc'].map(
      (limit) => [['--limit', limit], /--limit.*Expected a whole number from 1/u] as const,
    ),
    [['--batch-size', '5000'], /^--batch-size \(BATCH_SIZE\): expected a whole number from 1 to 1000\.$/u],
    [['--concurrency', '0'], /^--concurrency \(MAX_WORKERS\): expected a whole number from 1 to 500\.$/u],
    [['--fast'], /unknown option '--fast'/u],
    [['everything'], /too many arguments/u],
  ];
  for (const [args, says] of cases) {
    test(`start ${args.join(' ')}`, async () => {
      assert.match(refused(await ferry.run(['start', ...args], job)).join('\n'), says);
    });
  }
});

describe('./.env', () => {
  const file = join(ferry.dir, '.env');
  afterEach(() => rmSync(file, { recursive: true, force: true }));

  test('that is a folder is named', async () => {
    mkdirSync(file);
    const [line] = refused(await ferry.run(['list']));
    assert.equal(
      line,
      `${file}: expected a readable file of settings (EISDIR); correct it, or remove it and set the environment.`,
    );
  });

  test(
    'that nobody may read is named',
    { skip: process.getuid?.() === 0 && 'root may read everything' },
    async () => {
      writeFileSync(file, '');
      chmodSync(file, 0);
      assert.match(refused(await ferry.run(['list']))[0] ?? '', /\.env: expected a readable file .*EACCES/u);
    },
  );

  test('that lacks a setting is named as the place to put it', async () => {
    writeFileSync(file, 'TEMPORAL_ADDRESS=127.0.0.1:1\n');
    const lines = refused(await ferry.run(['start']));
    assert.match(lines[0] ?? '', /^MYSQL_DATABASE: is not set/u);
    assert.ok(lines[1]?.includes(file) && lines[1].includes('docs/configuration.md'), lines[1]);
  });
});

describe('Temporal', { concurrency: 4 }, () => {
  const servers: Server[] = [];
  after(() => servers.forEach((server) => server.close()));
  const portOf = async (server: Server): Promise<number> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };
  const stack = testStack().environment() as Record<string, string>;
  const list = async (settings: Record<string, string>): Promise<string> =>
    refused(await ferry.run(['list'], settings))
      .filter((line) => !/^\(/u.test(line))
      .join('\n');

  test('that is not there, or at a name that nobody has', async () => {
    assert.match(
      await list({ TEMPORAL_ADDRESS: '127.0.0.1:1' }),
      /^TEMPORAL_ADDRESS: Temporal at 127\.0\.0\.1:1 does not answer \(connection refused.*`ferry stack up`\.$/u,
    );
    assert.match(
      await list({ TEMPORAL_ADDRESS: 'nobody.invalid:7233' }),
      /^TEMPORAL_ADDRESS: .*nobody\.invalid.*no host of that name/u,
    );
  });

  test('where another server listens', async () => {
    const port = await portOf(createServer((socket) => socket.destroy()));
    assert.match(
      await list({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` }),
      /^TEMPORAL_ADDRESS: .* does not speak Temporal's protocol without TLS.*TEMPORAL_TLS=true/u,
    );
  });

  test('that expects TLS, and that does not', async () => {
    const port = await portOf(createHttpsServer(SELF_SIGNED));
    assert.match(await list({ TEMPORAL_ADDRESS: `127.0.0.1:${port}` }), /TEMPORAL_TLS=true/u);
    for (const [setting, value] of [
      ['TEMPORAL_TLS', 'true'],
      ['TEMPORAL_API_KEY', 'canary'],
    ] as const) {
      const said = await list({ ...stack, [setting]: value });
      assert.match(said, /^TEMPORAL_ADDRESS: .*TLS.*unset TEMPORAL_TLS and TEMPORAL_API_KEY\.$/u);
      assert.doesNotMatch(said, /canary/u);
    }
  });

  test('whose namespace is missing: commands and workers say so', async () => {
    const settings = { ...stack, TEMPORAL_NAMESPACE: 'nowhere' };
    const says =
      /^TEMPORAL_NAMESPACE: .* has no namespace nowhere; create it with `temporal operator namespace create/u;
    assert.match(await list(settings), says);
    assert.match(refused(await ferry.run(['worker'], settings))[0] ?? '', says);
    assert.match(refused(await ferry.run(['start'], settings))[0] ?? '', says);
  });

  test('with files and profiles that do not exist', async () => {
    assert.equal(
      await list({ TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere/cert.pem' }),
      'TEMPORAL_TLS_CLIENT_CERT_PATH: cannot read the file /nowhere/cert.pem (ENOENT).',
    );
    assert.match(
      await list({ TEMPORAL_PROFILE: 'nobody' }),
      /TEMPORAL_PROFILE: expected .*'nobody' not found/u,
    );
  });

  test('a worker whose metrics address is no address', async () => {
    for (const address of ['localhost:9464', new URL(stack['QDRANT_URL'] ?? '').host]) {
      const [line] = refused(await ferry.run(['worker'], { ...stack, WORKER_METRICS_ADDRESS: address }));
      assert.match(line ?? '', /^WORKER_METRICS_ADDRESS: expected an IP address and a free port/u);
    }
  });
});
