import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { identify, pidsWorkingIn } from '../../src/stack/process-table.ts';
import { down, openStack, up } from '../../src/stack/stack.ts';
import { openPlace, type Place } from './stack-command.ts';

const UP = ['stack', 'up', '--service', 'mariadb', 'embeddings'];

describe('`ferry stack up`, interrupted', () => {
  let place: Place;
  beforeEach(() => {
    place = openPlace();
  });
  afterEach(() => place.close());

  /** Pids of all that stack.json knows. */
  const known = () =>
    Object.values(openStack(place.dir).state().services).flatMap(({ processes }) =>
      processes.map(({ pid }) => pid),
    );

  const stages = [
    { name: 'at its first word', signal: 'SIGINT', code: 130, word: /\S/ },
    { name: 'while MariaDB makes its tables', signal: 'SIGTERM', code: 143, word: /^mariadb +\d+\.\d/m },
    { name: 'when one of two is started', signal: 'SIGINT', code: 130, word: /^embeddings +started/m },
  ] as const;
  for (const { name, signal, code, word } of stages) {
    it(`${name}, leaves nothing that stack.json does not know, and goes on at the next up (${signal})`, async () => {
      const running = place.start(UP);
      await running.says(word);
      running.child.kill(signal);
      const ended = await running.ended;
      assert.equal(ended.code, code, ended.stderr);
      assert.match(
        ended.stderr,
        /^stack +interrupted; .*`ferry stack up` goes on, `ferry stack down` ends it$/m,
      );
      const ours = known();
      assert.deepEqual(
        place.pids().filter((pid) => !ours.includes(pid)),
        [],
      );
      await up({ dir: place.dir, services: ['mariadb', 'embeddings'] });
      assert.deepEqual(place.pids().toSorted(), known().toSorted());
      await down({ dir: place.dir });
      assert.deepEqual(place.pids(), []);
    });
  }

  it('ends what it was installing, with all below it, and the wait of another `up`', async () => {
    const bin = join(place.home, 'bin');
    mkdirSync(bin);
    const pidFile = join(place.home, 'compiler.pid');
    // A compiler that never ends, in a process below the one that is run.
    const go = `
      const { spawn } = require('node:child_process');
      if (process.argv[2] === 'version') console.log('go version go1.25.1 linux/amd64');
      else if (process.argv[2] === 'build') {
        const compiler = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'], { stdio: 'inherit' });
        require('node:fs').writeFileSync(${JSON.stringify(pidFile)}, String(compiler.pid));
      }`;
    writeFileSync(join(bin, 'go'), `#!${process.execPath}\n${go}`, { mode: 0o755 });
    const cache = join(place.home, 'cache');
    const bare = { PATH: bin, XDG_CACHE_HOME: cache };
    const args = ['stack', 'up', '--service', 'temporal'];
    const first = place.start(args, bare);
    await first.says(/building the Temporal CLI/);
    const second = place.start(args, bare);
    await second.says(/^stack +waiting: another process works on the stack/m);
    second.child.kill('SIGINT');
    assert.equal((await second.ended).code, 130);

    let compiler: number | undefined;
    while (compiler === undefined || identify(compiler) === undefined) compiler = await readPid(pidFile);
    first.child.kill('SIGINT');
    const { code, stderr } = await first.ended;
    assert.equal(code, 130, stderr);
    assert.equal(identify(compiler), undefined, 'the compiler runs on');
    assert.deepEqual(pidsWorkingIn(cache), []);
    // Neither a half-built program nor the folder in which it was built.
    assert.deepEqual(readdirSync(join(cache, 'vector-ferry', 'temporal-cli')), []);
    assert.deepEqual(place.pids(), []);
  });
});

async function readPid(file: string): Promise<number | undefined> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  try {
    return Number(readFileSync(file, 'utf8')) || undefined;
  } catch {
    return undefined;
  }
}
