import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openPlace, type Place } from './stack-command.ts';

const UP = ['stack', 'up', '--service', 'embeddings'];

describe('what `ferry stack` says besides its data', () => {
  let place: Place;
  before(() => {
    place = openPlace();
  });
  after(() => place.close());

  it('up: what is next, and what the embeddings are; with --json the data alone', async () => {
    const { code, stdout, stderr } = await place.run(UP);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Embeddings +running[^]*\nNext:\n +eval "\$\(ferry stack env\)"/u);
    assert.match(stdout, /offline imitation/u);
    const again = await place.run([...UP, '--json']);
    assert.deepEqual(Object.keys(JSON.parse(again.stdout) as object), ['dir', 'services']);
  });

  it('env: settings, with a warning once the stack is down; none with --json', async () => {
    const running = await place.run(['stack', 'env']);
    assert.match(running.stdout, /^export OPENAI_BASE_URL='http/mu);
    assert.equal(running.stderr, '');
    await place.run(['stack', 'down']);
    const stopped = await place.run(['stack', 'env']);
    assert.equal(stopped.code, 0);
    assert.equal(stopped.stdout, running.stdout);
    assert.match(stopped.stderr, /! The stack does not run; `ferry stack up` starts it\./u);
    assert.equal((await place.run(['stack', 'env', '--json'])).stderr, '');
  });
});
