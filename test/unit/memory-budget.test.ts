import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { DEFAULT_CHUNKING } from '../../src/chunking/chunker.ts';
import { largeRowBytes } from '../../src/reconcile/large-row.ts';
import { MemoryBudget, type MemoryLease } from '../../src/reconcile/memory-budget.ts';

/** A request for bytes, what it was told, and what it got. */
class Request {
  readonly bytes: number;
  readonly waits: (string | null)[] = [];
  readonly #abort = new AbortController();
  lease: MemoryLease | null = null;
  error: unknown = null;

  constructor(budget: MemoryBudget, bytes: number) {
    this.bytes = bytes;
    budget.acquire(bytes, { signal: this.#abort.signal, onWait: (reason) => this.waits.push(reason) }).then(
      (lease) => (this.lease = lease),
      (error: unknown) => (this.error = error),
    );
  }

  get isHeld(): boolean {
    return this.lease !== null;
  }

  abort(): void {
    this.#abort.abort(new Error('stopped'));
  }
}

describe('the memory budget', () => {
  it('gives what fits at once, and the rest in order', async () => {
    const budget = new MemoryBudget(10);
    const [first, second, third, fourth] = [6, 3, 8, 1].map((bytes) => new Request(budget, bytes));
    await turn();
    assert.deepEqual([first!.waits, second!.waits], [[], []]);
    assert.ok(first!.lease !== null && second!.lease !== null);
    assert.deepEqual(third!.waits, ['memory_budget']);
    assert.equal(fourth!.lease, null, 'it fits, but would overtake the third');

    first!.lease.release();
    first!.lease.release();
    await turn();
    assert.equal(budget.taken, 3, 'released once');
    assert.equal(third!.lease, null);
    second!.lease.release();
    await turn();
    assert.ok(third!.lease !== null && fourth!.lease !== null);
    assert.deepEqual([third!.waits, fourth!.waits], Array(2).fill(['memory_budget', null]));
    assert.equal(budget.taken, 9);
  });

  it('lets a request above the whole budget pass alone', async () => {
    const budget = new MemoryBudget(10);
    const [small, huge, next] = [1, 50, 1].map((bytes) => new Request(budget, bytes));
    await turn();
    assert.deepEqual([small!.isHeld, huge!.isHeld], [true, false]);
    small!.lease?.release();
    await turn();
    assert.deepEqual([huge!.isHeld, next!.isHeld], [true, false]);
    huge!.lease?.release();
    await turn();
    assert.ok(next!.isHeld);
  });

  it('forgets a request that is stopped, and lets those behind it pass', async () => {
    const budget = new MemoryBudget(10);
    const [first, huge, small] = [4, 50, 4].map((bytes) => new Request(budget, bytes));
    await turn();
    huge!.abort();
    await turn();
    assert.equal((huge!.error as Error).message, 'stopped');
    assert.deepEqual(huge!.waits, ['memory_budget', null]);
    assert.ok(small!.lease, 'nobody else releases anything');
    for (const { lease } of [first!, small!]) lease?.release();
    assert.equal(budget.taken, 0);

    const stopped = new AbortController();
    stopped.abort(new Error('before'));
    const late = budget.acquire(1, { signal: stopped.signal, onWait: () => undefined });
    await assert.rejects(late, /before/);
    assert.equal(budget.taken, 0);
  });

  it('takes back the bytes of one that is given up, though it never releases them', async () => {
    const budget = new MemoryBudget(10);
    const [hangs, next] = [10, 10].map((bytes) => new Request(budget, bytes));
    await turn();
    hangs!.abort();
    await turn();
    assert.ok(next!.isHeld);
    hangs!.lease?.release();
    assert.equal(budget.taken, 10, 'once only');

    const last = new Request(budget, 10);
    await turn();
    next!.lease?.release();
    last.abort();
    await turn();
    assert.equal(budget.taken, 0, 'also of one that is given up at the moment of its turn');
  });

  it('never gives more than there is, starves nobody and ends empty, whatever the order', async () => {
    const step = fc.record({
      action: fc.constantFrom('ask', 'release', 'abort'),
      bytes: fc.integer({ min: 1, max: 15 }),
      which: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const budget = new MemoryBudget(10);
        const open: Request[] = [];
        const finish = async (request: Request, how: 'release' | 'abort'): Promise<void> => {
          if (how === 'abort') request.abort();
          else if (request.lease === null) return;
          request.lease?.release();
          open.splice(open.indexOf(request), 1);
          await turn();
        };
        for (const { action, bytes, which } of steps) {
          const request = open[which % (open.length || 1)];
          if (action === 'ask') open.push(new Request(budget, bytes));
          else if (request !== undefined) await finish(request, action);
          await turn();
          const held = open.filter(({ lease }) => lease !== null);
          const sum = held.reduce((total, { bytes: taken }) => total + taken, 0);
          assert.equal(budget.taken, sum);
          assert.ok(sum <= 10 || held.length === 1);
          // In order: whoever came before one that has its bytes has them too.
          assert.deepEqual(open.slice(0, held.length), held);
        }
        while (open.length > 0) {
          assert.ok(open[0]!.lease !== null, 'the first of all always has what it asked for');
          await finish(open[0]!, 'release');
        }
        assert.equal(budget.taken, 0);
      }),
    );
  });
});

describe('the memory of a large row', () => {
  const model = { model: 'm', dimensions: 1_536 };

  it('grows with content and dimensions, and with smaller children', () => {
    const mebibytes = (bytes: number, changes = {}, dimensions = 1_536): number =>
      largeRowBytes(bytes, {
        chunking: { ...DEFAULT_CHUNKING, ...changes },
        model: { ...model, dimensions },
      }) /
      2 ** 20;
    const whole = mebibytes(16 * 2 ** 20);
    assert.ok(whole > 16 * 4 + (16 * 2 ** 20 * 1_536 * 4) / (224 * 3) / 2 ** 20);
    assert.ok(whole < 256, 'two such rows fit into the default of 512 MB');
    assert.ok(mebibytes(8 * 2 ** 20) < whole * 0.51);
    assert.ok(mebibytes(16 * 2 ** 20, {}, 3_072) > whole * 1.4);
    assert.ok(mebibytes(16 * 2 ** 20, { childTokens: 128 }) > whole * 1.5);
  });
});
