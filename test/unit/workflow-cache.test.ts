import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { bundleWorkflowCode, DefaultLogger, type BundleOptions } from '@temporalio/worker';
import { sourceBundle, workflowCacheFolder } from '../../src/workflow-cache.ts';

const ROOT = join(import.meta.dirname, '../..');
const dir = mkdtempSync(join(tmpdir(), 'ferry-workflow-cache-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** A small clone: a module with workflows, one that it takes a value from, and one that it takes a type from. */
const clone = join(dir, 'clone');
const workflows = join(clone, 'workflows.ts');
const answer = join(clone, 'answer.ts');
const installed = join(clone, 'installed.json');
mkdirSync(clone);
symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
writeFileSync(join(clone, 'question.ts'), 'export interface Question { readonly words: string }\n');

/** Bundles made so far in a test. */
let made = 0;
/** What happens while one is being made. */
let meanwhile = (): void => undefined;
const folder = join(dir, 'cache');

beforeEach(() => {
  made = 0;
  meanwhile = () => undefined;
  rmSync(folder, { recursive: true, force: true });
  writeFileSync(installed, '{"version": 1}');
  writeFileSync(answer, 'export const ANSWER = 42;\n');
  writeFileSync(
    workflows,
    "import { ANSWER } from './answer.ts';\nimport type { Question } from './question.ts';\n" +
      'export async function ask(_: Question): Promise<number> { return ANSWER; }\n',
  );
});

/** What the SDK's bundler made of each state of the clone: it takes half a second. */
const bundles = new Map<string, string>();
const logger = new DefaultLogger('ERROR', () => undefined);

async function bundle(parts: BundleOptions): Promise<{ code: string }> {
  made++;
  const state = JSON.stringify([parts, ...[workflows, answer].map((path) => readFileSync(path, 'utf8'))]);
  const code = bundles.get(state) ?? (await bundleWorkflowCode({ ...parts, logger })).code;
  bundles.set(state, code);
  meanwhile();
  return { code };
}

async function start(options: Partial<Parameters<typeof sourceBundle>[1]> = {}): Promise<string> {
  const kept = await sourceBundle(workflows, { folder, bundle, installed, ...options });
  assert.ok('code' in kept);
  assert.match(kept.code, /const ANSWER = /u, 'it is a bundle of the workflows');
  return kept.code;
}

/** The file that the bundle is kept in, the only one in the folder. */
function keptFile(): string {
  const names = readdirSync(folder);
  assert.equal(names.length, 1, names.join(' '));
  return join(folder, names[0] ?? '');
}

describe('the bundle of a clone', () => {
  it('is made once', async () => {
    const first = await start();
    assert.equal(await start(), first);
    assert.equal(made, 1);
  });

  it('is made anew for another source, in the module itself or one that it imports', async () => {
    await start();
    writeFileSync(answer, 'export const ANSWER = 43;\n');
    assert.match(await start(), /const ANSWER = 43/u);
    writeFileSync(workflows, `${readFileSync(workflows, 'utf8')}// A comment.\n`);
    await start();
    assert.equal(made, 3);
    await start();
    assert.equal(made, 3);
    keptFile();
  });

  it('is made anew when one of its modules has gone', async () => {
    await start();
    rmSync(answer);
    await assert.rejects(start());
  });

  it('does not care for modules that only types come from', async () => {
    await start();
    writeFileSync(join(clone, 'question.ts'), 'export interface Question { readonly text: string }\n');
    await start();
    assert.equal(made, 1);
  });

  it('is made anew when a source was edited while it was being made', async () => {
    meanwhile = () => writeFileSync(answer, 'export const ANSWER = 44;\n');
    assert.match(await start(), /const ANSWER = 42/u);
    assert.match(await start(), /const ANSWER = 44/u);
    await start();
    assert.equal(made, 2);
  });

  it('is made anew for other packages, and is not kept where nobody can tell which there are', async () => {
    await start();
    writeFileSync(installed, '{"version": 2}');
    await start();
    await start();
    assert.equal(made, 2);
    rmSync(installed);
    await start();
    await start();
    assert.equal(made, 4);
  });

  it('is made anew when the file is damaged, which mends it', async () => {
    const whole = await start();
    const content = readFileSync(keptFile(), 'utf8');
    const at = content.indexOf('const ANSWER = 42');
    const damaged = {
      empty: '',
      'cut off': content.slice(0, -1_000),
      'without its end': content.slice(0, at),
      'one character': `${content.slice(0, at)}const ANSWER = 41${content.slice(at + 17)}`,
      'without its seal': content.slice(content.indexOf('\n') + 1),
      'something else': 'exports.ask = () => 0;\n',
    };
    for (const [how, text] of Object.entries(damaged)) {
      made = 0;
      writeFileSync(keptFile(), text);
      assert.equal(await start(), whole, how);
      assert.equal(made, 1, how);
      assert.equal(readFileSync(keptFile(), 'utf8'), content, how);
    }
  });

  it('is not taken from a file that others may write', async () => {
    await start();
    chmodSync(keptFile(), 0o622);
    await start();
    assert.equal(made, 2);
    await start();
    assert.equal(made, 2, 'the file that took its place is ours alone');
  });

  it('is replaced as a whole: who reads the old file goes on reading it', async (t) => {
    await start();
    const old = readFileSync(keptFile(), 'utf8');
    const reader = openSync(keptFile(), 'r');
    t.after(() => closeSync(reader));
    writeFileSync(answer, 'export const ANSWER = 45;\n');
    await start();
    assert.equal(readFileSync(reader, 'utf8'), old);
    assert.notEqual(readFileSync(keptFile(), 'utf8'), old);
  });

  it('is used all the same where it cannot be kept', async () => {
    writeFileSync(folder, 'a file where the folder should be');
    await start();
    await start();
    assert.equal(made, 2);
    await start({ folder: null });
    assert.equal(made, 3);
    assert.equal(readFileSync(folder, 'utf8'), 'a file where the folder should be');
  });

  it('leaves nothing half behind where the file cannot be replaced', async () => {
    await start();
    const file = keptFile();
    rmSync(file);
    mkdirSync(file);
    await start();
    assert.equal(keptFile(), file);
    assert.deepEqual(readdirSync(file), []);
  });

  it('is kept for each clone by itself', async () => {
    await start();
    const other = join(clone, 'other.ts');
    writeFileSync(other, "export { ask } from './workflows.ts';\n");
    await sourceBundle(other, { folder, installed, logger });
    assert.equal(readdirSync(folder).length, 2);
    await start();
    assert.equal(made, 1);
  });

  it('is another one with a converter of failures, which is one of its sources', async () => {
    const converter = join(clone, 'converter.ts');
    writeFileSync(converter, 'export const failureConverter = { mark: 1 };\n');
    await start();
    const withIt = () => start({ failureConverterPath: converter });
    assert.match(await withIt(), /mark: 1/u);
    assert.doesNotMatch(await start(), /mark: 1/u);
    await withIt();
    assert.equal(made, 2);
    writeFileSync(converter, 'export const failureConverter = { mark: 2 };\n');
    bundles.clear();
    assert.match(await withIt(), /mark: 2/u);
    assert.equal(made, 3);
  });

  it('is for its user alone, the folder around it is not', async () => {
    const around = join(dir, 'around');
    await start({ folder: join(around, 'cache') });
    assert.equal(statSync(join(around, 'cache')).mode & 0o777, 0o700);
    assert.equal(statSync(around).mode & 0o777, 0o755 & ~process.umask());
  });

  it('pushes out the oldest, so that clones of long ago and files half written do not pile up', async () => {
    mkdirSync(folder);
    const old = Array.from({ length: 12 }, (_, days) => {
      const path = join(folder, `old-${days}.js`);
      writeFileSync(path, '');
      utimesSync(path, 0, Date.now() / 1_000 - days * 86_400 - 60);
      return path;
    });
    await start();
    assert.equal(readdirSync(folder).length, 10);
    assert.deepEqual(
      old.map((path) => existsSync(path)),
      [...Array<boolean>(9).fill(true), false, false, false],
    );
    await start();
    assert.equal(made, 1);
  });
});

describe('the folder for it', () => {
  it('is in the cache of the user, or nowhere', () => {
    const below = 'vector-ferry/workflows';
    assert.equal(workflowCacheFolder({ HOME: '/home/a' }), `/home/a/.cache/${below}`);
    assert.equal(workflowCacheFolder({ HOME: '/home/a', XDG_CACHE_HOME: '/var/b' }), `/var/b/${below}`);
    // As the XDG specification has it, a relative path is to be ignored.
    assert.equal(workflowCacheFolder({ HOME: '/home/a', XDG_CACHE_HOME: 'b' }), `/home/a/.cache/${below}`);
    assert.equal(workflowCacheFolder({ HOME: '/home/a', XDG_CACHE_HOME: '' }), `/home/a/.cache/${below}`);
    assert.equal(workflowCacheFolder({}), null);
  });
});
