import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { until } from '../support/lab.ts';
import { testStack } from '../support/stack.ts';

const WORKER = join(import.meta.dirname, '../../src/worker.ts');

const dir = mkdtempSync(join(tmpdir(), 'ferry-worker-start-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** What a worker of the sources logs until it polls. */
async function started(cache: string): Promise<string> {
  const { PATH = '', NODE_COMPILE_CACHE = '' } = process.env;
  const env = { PATH, HOME: dir, XDG_CACHE_HOME: cache, NODE_COMPILE_CACHE, ...testStack().environment() };
  const child = spawn(process.execPath, [WORKER], { cwd: dir, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (data: Buffer) => (log += data.toString()));
  const ended = once(child, 'close');
  try {
    await until('the worker polls', 60_000, () => {
      assert.equal(child.exitCode, null, log);
      return log.includes('"RUNNING"');
    });
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  return log;
}

const BUNDLED = /"Workflow bundle created"/u;

test('workers of a clone that start at once bundle the workflows; later ones find the bundle', async () => {
  const cache = join(dir, 'cache');
  const logs = await Promise.all([started(cache), started(cache)]);
  assert.ok(logs.some((log) => BUNDLED.test(log)));
  assert.equal(readdirSync(join(cache, 'vector-ferry/workflows')).length, 1);
  assert.doesNotMatch(await started(cache), BUNDLED);
});

test('a worker starts where the cache cannot be written', async () => {
  assert.match(await started('/dev/null'), BUNDLED);
});
