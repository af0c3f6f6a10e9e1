import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LossWatch } from '../../src/activities/loss-watch.ts';
import type { Losses } from '../../src/job/job.ts';

/** The attempts of one batch, each in a process of its own unless told otherwise. */
class Attempts {
  readonly acknowledged: Losses[] = [];
  #number = 0;
  #left: Losses | undefined;

  begin(process = `process-${this.#number + 1}`): LossWatch {
    const watch: LossWatch = new LossWatch(
      ++this.#number,
      this.#left,
      async () => {
        this.#left = watch.report(false);
        this.acknowledged.push(this.#left);
      },
      process,
    );
    this.#left = watch.report(false);
    return watch;
  }

  /** What the server has of an attempt when it ends, by whatever cause. */
  ends(watch: LossWatch, isWaiting = false): void {
    this.#left = watch.report(isWaiting);
  }

  /** A batch of which two attempts were lost in a row. */
  static suspicious(): Attempts {
    const attempts = new Attempts();
    attempts.ends(attempts.begin());
    attempts.ends(attempts.begin());
    return attempts;
  }
}

test('after two attempts lost in a row the next goes record by record', () => {
  const attempts = new Attempts();
  for (let lost = 0; lost < 2; lost++) {
    const watch = attempts.begin();
    assert.equal(watch.suspicion, null, `${lost} lost`);
    attempts.ends(watch);
  }
  assert.notEqual(attempts.begin().suspicion, null);
});

test('attempts that are lost before their first heartbeat count', () => {
  assert.equal(new LossWatch(2, undefined, async () => undefined, 'a').report(false).inARow, 10);
  assert.equal(new LossWatch(1, undefined, async () => undefined, 'a').report(false).inARow, 0);
});

test('attempts that were lost while they waited for an answer weigh a tenth', async () => {
  const attempts = new Attempts();
  for (let lost = 0; lost < 20; lost++) {
    const watch = attempts.begin();
    assert.equal(watch.suspicion, null, `${lost} lost`);
    watch.awaits(1);
    attempts.ends(watch);
  }
  for (let lost = 0; lost < 20; lost++) {
    const watch = attempts.begin();
    assert.equal(await watch.suspicion?.begin(7n), true, `${lost} lost at it`);
    watch.awaits(1);
    attempts.ends(watch);
  }
  assert.equal(await attempts.begin().suspicion?.begin(7n), false);
});

test('once the answer has come a loss weighs as before', () => {
  const watch = new Attempts().begin();
  watch.awaits(1);
  watch.awaits(1);
  watch.awaits(-1);
  assert.equal(watch.report(false).weight, 1);
  watch.awaits(-1);
  assert.equal(watch.report(false).weight, 10);
});

const innocent: [string, (attempts: Attempts) => void][] = [
  [
    'had advanced',
    (attempts) => {
      const watch = attempts.begin();
      watch.advance();
      attempts.ends(watch);
    },
  ],
  [
    'had ended in good order',
    (attempts) => {
      const watch = attempts.begin();
      watch.end();
      attempts.ends(watch);
    },
  ],
  ['waited for a service', (attempts) => attempts.ends(attempts.begin(), true)],
];
for (const [what, attempt] of innocent) {
  test(`an attempt that ${what} does not count`, () => {
    const attempts = new Attempts();
    attempts.ends(attempts.begin());
    for (let time = 0; time < 5; time++) attempt(attempts);
    assert.equal(attempts.begin().suspicion, null);
  });
}

test('an attempt whose process takes the next one was not lost by it', () => {
  const attempts = new Attempts();
  for (let time = 0; time < 5; time++) attempts.ends(attempts.begin('the same'));
  assert.equal(attempts.begin('the same').suspicion, null);
});

test('an attempt that advances clears those before it', () => {
  const attempts = new Attempts();
  for (let time = 0; time < 5; time++) {
    attempts.ends(attempts.begin());
    const watch = attempts.begin();
    watch.advance();
    attempts.ends(watch);
  }
  assert.equal(attempts.begin().suspicion, null);
});

test('the record at which two attempts are lost is given up, and stays so', async () => {
  const attempts = Attempts.suspicious();
  for (let lost = 0; lost < 2; lost++) {
    const watch = attempts.begin();
    assert.equal(await watch.suspicion?.begin(6n), true, 'a record that was done before');
    assert.equal(await watch.suspicion?.begin(7n), true, `${lost} lost`);
    attempts.ends(watch);
  }
  for (let time = 0; time < 2; time++) {
    const watch = attempts.begin();
    assert.equal(await watch.suspicion?.begin(7n), false);
    assert.equal(await watch.suspicion?.begin(8n), true, 'the others go on');
    watch.advance();
    attempts.ends(watch);
  }
});

test('the server knows a record before it begins', async () => {
  const attempts = Attempts.suspicious();
  await attempts.begin().suspicion?.begin(7n);
  assert.equal(attempts.acknowledged.at(-1)?.record, '7');
});

test('a record is not given up for losses at others', async () => {
  const attempts = Attempts.suspicious();
  for (const lostAt of [7n, 8n, 7n, 8n, 7n]) {
    const watch = attempts.begin();
    assert.equal(await watch.suspicion?.begin(lostAt), true);
    attempts.ends(watch);
  }
});

test('a record counts as the place of a loss whatever was finished before it', async () => {
  const attempts = Attempts.suspicious();
  for (let lost = 0; lost < 2; lost++) {
    const watch = attempts.begin();
    assert.equal(await watch.suspicion?.begin(6n), true);
    watch.advance();
    watch.suspicion?.end();
    assert.equal(await watch.suspicion?.begin(7n), true, `${lost} lost`);
    attempts.ends(watch);
  }
  assert.equal(await attempts.begin().suspicion?.begin(7n), false);
});

test('a suspected record that is done clears the batch', async () => {
  const attempts = Attempts.suspicious();
  const lost = attempts.begin();
  await lost.suspicion?.begin(7n);
  attempts.ends(lost);
  const watch = attempts.begin();
  await watch.suspicion?.begin(6n);
  assert.equal(watch.suspicion?.end(), false);
  await watch.suspicion?.begin(7n);
  assert.equal(watch.suspicion?.end(), true);
  attempts.ends(watch);
  assert.equal(attempts.begin().suspicion, null);
});

test('what happens between two records is no fault of the one before', async () => {
  const attempts = Attempts.suspicious();
  for (let time = 0; time < 4; time++) {
    const watch = attempts.begin();
    assert.equal(await watch.suspicion?.begin(7n), true);
    watch.suspicion?.end();
    attempts.ends(watch);
  }
});

test('the server is told once that an attempt has advanced', () => {
  const watch = new Attempts().begin();
  assert.deepEqual([watch.advance(), watch.advance()], [true, false]);
});

test('a batch that goes record by record goes on so on the next worker', async () => {
  const attempts = Attempts.suspicious();
  const watch = attempts.begin();
  await watch.suspicion?.begin(7n);
  watch.advance();
  watch.end();
  attempts.ends(watch);
  assert.notEqual(attempts.begin().suspicion, null);
});
