import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { snapshotMigration } from '../../src/client/snapshot.ts';
import { Ferry, printed } from '../support/command.ts';
import { testStack } from '../support/stack.ts';
import { temporalLab, type TemporalLab } from '../support/temporal.ts';

// Followers that are interrupted, or whose reader has gone. No worker runs: the job is open, and stays so.
const NAME = 'ip_summary-to-memos';
/** A cleared line, as the live line begins. */
const CLEARED = '\r\x1b[2K';

let temporal: TemporalLab;
let ferry: Ferry;
before(async () => {
  temporal = await temporalLab();
  ferry = new Ferry({
    TEMPORAL_ADDRESS: testStack().environment().TEMPORAL_ADDRESS ?? '',
    TEMPORAL_NAMESPACE: temporal.client.options.namespace,
    MYSQL_DATABASE: 'nowhere',
  });
});
after(async () => {
  ferry.close();
  await temporal.close();
});

const isOpen = async (): Promise<boolean> => (await snapshotMigration(temporal.client, NAME, 500)).isOpen;

test('Ctrl-C before the connection ends the command at once, and nothing was started', async () => {
  // Nobody answers there, so that it stays at this stage for five seconds.
  const start = ferry.startOnTerminal(['start'], { TEMPORAL_ADDRESS: '127.0.0.1:1' });
  await printed(start, /Temporal 127\.0\.0\.1:1/u);
  start.interrupt();
  const { code, stdout } = await start.ended;
  assert.equal(code, 130, stdout);
  assert.doesNotMatch(stdout, /Started|does not answer/u);
});

test('Ctrl-C while `ferry start` follows detaches: 0, a line of its own that says how to come back', async () => {
  const start = ferry.startOnTerminal(['start', '--no-preflight']);
  await printed(start, /no worker polls: start one with `ferry worker`/u);
  start.interrupt();
  const { code, stdout } = await start.ended;
  assert.equal(code, 0, stdout);
  assert.match(stdout, new RegExp(`Started ${NAME} \\(job `, 'u'));
  assert.match(
    stdout,
    new RegExp(`\\r\\nDetached; ${NAME} goes on\\. \`ferry watch ${NAME}\` follows it, .*\\r\\n$`, 'u'),
  );
  for (const line of stdout.split(CLEARED).slice(1)) {
    // What Ctrl-C echoes (^C) and the lines after it belong to no live line.
    assert.ok((line.split(/\^C|\r\n/u)[0] ?? '').length <= 80, `it fits the terminal: ${line}`);
  }
  assert.ok(await isOpen());
});

describe('of a job that is open', { concurrency: 4 }, () => {
  test('Ctrl-C while `ferry watch` follows, on a terminal and without one', async () => {
    const onTerminal = ferry.startOnTerminal(['watch']);
    const plain = ferry.start(['watch']);
    const json = ferry.start(['watch', '--json']);
    await Promise.all([
      printed(onTerminal, /no worker polls/u),
      printed(plain, /no worker polls/u),
      printed(json, /"isOpen":true/u),
    ]);
    for (const running of [onTerminal, plain, json]) running.interrupt();
    for (const { code, stdout, stderr } of await Promise.all([onTerminal.ended, plain.ended, json.ended])) {
      assert.equal(code, 0, stderr);
      assert.match(stdout + stderr, /Detached; /u);
    }
    assert.doesNotMatch((await plain.ended).stdout, /\x1b|\r/u);
    for (const line of (await json.ended).stdout.trim().split('\n')) JSON.parse(line);
  });

  for (const args of [['watch'], ['watch', '--json'], ['start', '--attach', '--no-preflight']]) {
    test(`\`ferry ${args.join(' ')}\` into a pipe that closes ends quietly`, async () => {
      const running = ferry.start(args);
      running.closeOutput();
      const { code, stderr } = await running.ended;
      assert.equal(code, 141, stderr);
      assert.doesNotMatch(stderr, /EPIPE|Error|at /u);
    });
  }

  test('names that are no names of jobs are refused', async () => {
    for (const name of ['a/b', ' a', 'a\tb', 'x'.repeat(201)]) {
      const { code, stderr } = await ferry.run(['start', '--no-preflight', '--name', name]);
      assert.equal(code, 2);
      assert.match(stderr, /--name: expected 1 to 200 characters without slashes/u);
    }
  });

  test('commands about a job that nobody started say how to find one', async () => {
    for (const verb of ['status', 'watch', 'pause', 'resume', 'cancel']) {
      const { code, stderr } = await ferry.run([verb, 'nobody']);
      assert.equal(code, 2, verb);
      assert.match(stderr, /no open job is called nobody; `ferry list` shows/u);
    }
  });
});

test('a cancellation without a worker is told by status and watch, and nothing can undo it', async () => {
  assert.equal((await ferry.run(['cancel'])).code, 0);
  const requested = /cancellation requested; it ends when a worker runs/u;
  assert.match((await ferry.run(['status'])).stdout, requested);
  const watch = ferry.startOnTerminal(['watch']);
  await printed(watch, requested);
  watch.interrupt();
  assert.equal((await watch.ended).code, 0);
  for (const verb of ['pause', 'resume']) {
    const { code, stdout, stderr } = await ferry.run([verb]);
    assert.deepEqual([code, stdout], [2, ''], verb);
    assert.match(stderr, new RegExp(`NAME: the cancellation of ${NAME} was requested, .+\\.$`, 'mu'));
  }
  assert.equal((await snapshotMigration(temporal.client, NAME, 500)).isCancelRequested, true);
});

test('nothing of this ended the job; one that was terminated makes it 3', async () => {
  assert.ok(await isOpen());
  await temporal.client.workflow.getHandle(`migration-${NAME}`).terminate();
  const { code, stdout } = await ferry.run(['watch']);
  assert.equal(code, 3);
  assert.match(stdout, new RegExp(`^${NAME}: terminated`, 'u'));
  assert.doesNotMatch(stdout, /cancellation requested/u);
});
