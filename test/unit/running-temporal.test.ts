import assert from 'node:assert/strict';
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Ferry } from '../support/command.ts';

/** Somebody's own servers, as far as they say where. */
const OWN = { MYSQL_HOST: 'mysql.example', QDRANT_URL: 'http://qdrant.example', OPENAI_API_KEY: 'sk-own' };
const CONNECTION = { address: '127.0.0.1:1', namespace: 'of-the-stack', uiUrl: 'http://127.0.0.1:2' };

let ferry: Ferry;
let place: Record<string, string>;
before(() => {
  ferry = new Ferry(OWN);
  const dir = join(realpathSync(ferry.dir), 'temporal-only');
  mkdirSync(dir);
  place = { FERRY_STACK_DIR: dir };
});
after(() => ferry.close());

/** A Temporal without a process, as one elsewhere has, runs for as long as the file says so. */
function writeStack(processes: readonly object[]): void {
  const dir = place['FERRY_STACK_DIR'] ?? '';
  const services = { temporal: { connection: CONNECTION, processes } };
  writeFileSync(join(dir, 'stack.json'), JSON.stringify({ format: 'vector-ferry stack 1', dir, services }));
}

async function announced(args: readonly string[], settings: Record<string, string>): Promise<string> {
  const { stderr } = await ferry.run(args, { ...place, ...settings });
  return stderr.split('\n')[0] ?? '';
}

test('where no Temporal is named, commands find the one that `ferry run` has started', async () => {
  writeStack([]);
  assert.equal(
    await announced(['list'], {}),
    "Temporal 127.0.0.1:1, namespace of-the-stack (the local stack's; TEMPORAL_ADDRESS is not set)",
  );
  const { stdout } = await ferry.run(['--version', '--json'], place);
  const { temporal, source } = JSON.parse(stdout) as Record<string, Record<string, string>>;
  assert.deepEqual(temporal, { address: '127.0.0.1:1', namespace: 'of-the-stack' });
  assert.equal(source?.['host'], 'mysql.example');
});

test('a Temporal that is named, in the environment or in a profile, is the one', async () => {
  writeStack([]);
  assert.match(await announced(['list'], { TEMPORAL_ADDRESS: '127.0.0.1:3' }), /^Temporal 127\.0\.0\.1:3, /u);
  const file = join(ferry.dir, 'temporal.toml');
  writeFileSync(file, '[profile.default]\naddress = "127.0.0.1:4"\n');
  assert.match(await announced(['list'], { TEMPORAL_CONFIG_FILE: file }), /^Temporal 127\.0\.0\.1:4, /u);
});

test('one that has ended is not looked for', async () => {
  writeStack([{ pid: process.pid, startedAt: 'before the flood' }]);
  assert.match(
    await announced(['list'], {}),
    /^Temporal localhost:7233, .*\(TEMPORAL_ADDRESS is not set\)$/u,
  );
});
