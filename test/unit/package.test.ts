import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseArgs } from 'node:util';
import { ALL_SETTINGS } from '../../src/config.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as {
  version: string;
  files: string[];
  bin: Record<string, string>;
  exports: Record<string, Record<string, string>>;
  scripts: Record<string, string>;
};
/** What the build makes; it need not be there while the tests run. */
const sourceOf = (path: string): string =>
  path.replace(/^(?:\.\/)?dist\/(.+?)(?:\.d)?\.(?:js|ts)$/u, 'src/$1.ts');

describe('package.json', () => {
  it('publishes what exists, built before it is packed', () => {
    for (const path of manifest.files) assert.ok(path === 'dist' || existsSync(join(ROOT, path)), path);
    for (const path of Object.values(manifest.bin)) assert.ok(existsSync(join(ROOT, path)), path);
    for (const path of Object.values(manifest.exports['.'] ?? {})) {
      assert.ok(existsSync(join(ROOT, sourceOf(path))), path);
    }
    assert.match(manifest.scripts['prepack'] ?? '', /build/u);
  });

  it('has a program that can be run', () => {
    const path = join(ROOT, manifest.bin['ferry'] ?? '');
    assert.ok(readFileSync(path, 'utf8').startsWith('#!/usr/bin/env node\n'));
    assert.notEqual(statSync(path).mode & 0o111, 0);
  });
});

describe('Dockerfile', () => {
  const lines = read('Dockerfile')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => /^(?<name>[A-Z]+) +(?<rest>.+)$/u.exec(line)?.groups ?? {});
  const all = (name: string): string[] =>
    lines.filter((line) => line['name'] === name).map(({ rest }) => rest ?? '');
  const stages = all('FROM').map((from) => / AS (\w+)$/u.exec(from)?.[1]);

  it('has only instructions that there are', () => {
    const known = ['FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'USER', 'STOPSIGNAL', 'ENTRYPOINT'];
    for (const { name, rest } of lines) assert.ok(known.includes(name ?? ''), `${name} ${rest}`);
  });

  it('copies what exists and what .dockerignore lets through', () => {
    const kept = read('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    for (const copy of all('COPY').filter((each) => !each.startsWith('--from'))) {
      for (const path of copy.split(' ').slice(0, -1)) {
        assert.ok(existsSync(join(ROOT, path)), path);
        assert.ok(kept.includes(path), `${path} is kept out by .dockerignore`);
      }
    }
    for (const path of kept) assert.ok(existsSync(join(ROOT, path)), path);
    assert.ok(!kept.some((path) => path.startsWith('.env') || path === 'node_modules'));
    for (const copy of all('COPY').filter((each) => each.startsWith('--from'))) {
      assert.ok(stages.includes(/^--from=(\w+) /u.exec(copy)?.[1]), copy);
    }
  });

  it('builds with scripts of package.json', () => {
    for (const [, name = ''] of all('RUN')
      .join('\n')
      .matchAll(/npm run ([\w:-]+)/gu)) {
      assert.ok(name in manifest.scripts, name);
    }
  });

  it('runs the worker on Node 24, not as root', () => {
    for (const from of all('FROM')) assert.match(from, /^node:24-bookworm-slim\b/u);
    assert.deepEqual(all('USER'), ['node']);
    assert.deepEqual(all('STOPSIGNAL'), ['SIGTERM']);
    const [program, path = ''] = JSON.parse(all('ENTRYPOINT')[0] ?? '[]') as string[];
    assert.equal(program, 'node');
    assert.ok(existsSync(join(ROOT, sourceOf(path))), path);
  });
});

describe('deploy/kubernetes.yaml', () => {
  const text = read('deploy/kubernetes.yaml');
  const documents = text.split(/^---$/mu);
  const document = (kind: string): string =>
    documents.find((each) => new RegExp(`^kind: ${kind}$`, 'mu').test(each)) ?? '';
  const settings = ALL_SETTINGS.shape as Record<string, { safeParse(value: string): { success: boolean } }>;

  it('holds the secret, the workers and the job', () => {
    const kinds = [...text.matchAll(/^kind: (\w+)$/gmu)].map(([, kind]) => kind);
    assert.deepEqual(kinds, ['Secret', 'Deployment', 'Job']);
    assert.ok(!text.includes('\t'));
    for (const line of text.split('\n')) assert.equal((/^ */u.exec(line)?.[0].length ?? 0) % 2, 0, line);
  });

  it('sets settings that there are, to values that they take', () => {
    const secret = [...document('Secret').matchAll(/^ {2}([A-Z][A-Z0-9_]+): (.+)$/gmu)];
    const env = [...text.matchAll(/- name: ([A-Z][A-Z0-9_]+)\n +value: '?([^'\n]+)'?$/gmu)];
    assert.ok(secret.length > 10 && env.length > 2);
    for (const [, name = '', value = ''] of [...secret, ...env]) {
      // Of Temporal's library and of Node.
      if (/^(?:TEMPORAL_(?:ADDRESS|NAMESPACE|API_KEY)|NODE_OPTIONS)$/u.test(name)) continue;
      assert.ok(settings[name] !== undefined, `${name} is no setting`);
      assert.ok(settings[name].safeParse(value).success, `${name} does not take ${value}`);
    }
    const names = new Set(secret.map(([, name]) => name));
    const required = Object.keys(settings).filter(
      (name) => !settings[name]?.safeParse(undefined as never).success,
    );
    for (const name of required) assert.ok(names.has(name), `${name} is missing`);
  });

  it('refers to its own secret, port and image', () => {
    const secret = /^ {2}name: (.+)$/mu.exec(document('Secret'))?.[1];
    const references = [...text.matchAll(/secretRef:\n +name: (.+)$/gmu)].map(([, name]) => name);
    assert.deepEqual(references, [secret, secret]);
    const images = [...text.matchAll(/^ +image: (.+)$/gmu)].map(([, image]) => image);
    assert.deepEqual(images, Array(2).fill(`vector-ferry:${manifest.version}`));
    const metrics = /WORKER_METRICS_ADDRESS\n +value: 0\.0\.0\.0:(\d+)/u.exec(text)?.[1];
    assert.match(document('Deployment'), new RegExp(`containerPort: ${metrics}\\b`, 'u'));
    assert.match(document('Deployment'), new RegExp(`prometheus\\.io/port: '${metrics}'`, 'u'));
  });

  it('leaves workers the time to hand over', () => {
    const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1]);
    const grace = number(/terminationGracePeriodSeconds: (\d+)/u);
    const shutdown = number(/WORKER_SHUTDOWN_SECONDS\n +value: '(\d+)'/u);
    assert.ok(grace > shutdown, `${grace} is not more than ${shutdown}`);
    assert.match(document('Deployment'), /resources:\n +requests:/u);
  });

  it('starts with flags that there are', () => {
    const command = /command: \[(.+)\]/u.exec(document('Job'))?.[1]?.split(', ') ?? [];
    const [program, path = '', verb, ...flags] = command;
    assert.deepEqual([program, verb], ['node', 'start']);
    assert.ok(existsSync(join(ROOT, sourceOf(path))), path);
    const source = read('src/cli/start.ts');
    const { values } = parseArgs({ args: flags, strict: false });
    assert.ok('detach' in values);
    for (const name of Object.keys(values)) assert.ok(source.includes(`'--${name}'`), name);
  });
});
