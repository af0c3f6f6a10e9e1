import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createRowPacer } from '../../src/source/pacing.ts';
import type { PacerClock } from '../../src/source/pacing.ts';

/** Time that moves only when somebody waits. */
class FakeClock implements PacerClock {
  time = 1_000;
  readonly waits: number[] = [];

  now(): number {
    return this.time;
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.waits.push(ms);
    this.time += ms;
  }
}

const { signal } = new AbortController();

describe('a pacer', () => {
  it('does nothing without a rate', async () => {
    const clock = new FakeClock();
    const pacer = createRowPacer(undefined, clock);
    assert.equal(pacer.maxRows, Infinity);
    await pacer.take(1_000_000, signal);
    await pacer.take(1_000_000, signal);
    assert.deepEqual(clock.waits, []);
  });

  it('takes the first rows at once, and lets the next ones wait for them', async () => {
    const clock = new FakeClock();
    const pacer = createRowPacer(50, clock);
    assert.equal(pacer.maxRows, 50);
    await pacer.take(50, signal);
    assert.deepEqual(clock.waits, []);
    await pacer.take(10, signal);
    await pacer.take(5, signal);
    assert.deepEqual(clock.waits, [1_000, 200]);
  });

  it('saves nothing up while nobody reads', async () => {
    const clock = new FakeClock();
    const pacer = createRowPacer(10, clock);
    await pacer.take(10, signal);
    clock.time += 60_000;
    await pacer.take(10, signal);
    assert.deepEqual(clock.waits, []);
    await pacer.take(1, signal);
    assert.deepEqual(clock.waits, [1_000]);
  });

  it('adds up the waits of callers at the same time', async () => {
    const waits: number[] = [];
    const clock = { now: () => 0, sleep: async (ms: number) => waits.push(ms) };
    const pacer = createRowPacer(100, clock);
    await Promise.all([1, 2, 3, 4].map(() => pacer.take(100, signal)));
    assert.deepEqual(waits, [1_000, 2_000, 3_000]);
  });

  it('never lets more rows through than the rate allows, beyond the first page', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 500 }),
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 3_000 })), {
          minLength: 1,
          maxLength: 30,
        }),
        async (rate, pages) => {
          const clock = new FakeClock();
          const pacer = createRowPacer(rate, clock);
          let rows = 0;
          for (const [share, idleMs] of pages) {
            const count = Math.max(1, Math.floor(share * pacer.maxRows));
            await pacer.take(count, signal);
            rows += count;
            const seconds = (clock.time - 1_000) / 1_000;
            assert.ok(rows <= seconds * rate + pacer.maxRows + 1e-6, `${rows} rows in ${seconds} s`);
            clock.time += idleMs;
          }
          assert.ok(
            clock.waits.every((ms) => ms <= 1_000 + 1e-6),
            'a wait is a second at most',
          );
        },
      ),
    );
  });

  it('gives up a wait with the reason of the signal', async () => {
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const pacer = createRowPacer(1);
    await pacer.take(600, controller.signal);
    const waiting = pacer.take(1, controller.signal);
    controller.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
    await assert.rejects(pacer.take(1, controller.signal), (error) => error === reason);
  });
});
