import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkingOptions } from '../../src/chunking/chunker.ts';
import { Fault } from '../../src/errors.ts';
import { largeRowBytes } from '../../src/reconcile/large-row.ts';
import { MemoryBudget } from '../../src/reconcile/memory-budget.ts';
import { reconcile, type ReconcileInput, type ReconcileResult } from '../../src/reconcile/reconcile.ts';
import type { PageBounds, SourcePage, TableSpec, IdRange } from '../../src/source/source.ts';
import { RECONCILE_INPUT } from '../support/reconcile-input.ts';
import { quietAttempt } from '../support/attempt.ts';
import { MemoryEmbedder, MemorySource, MemoryTarget } from '../support/memory.ts';

/** Few points a row, so that the test is about rows. */
const chunking: ChunkingOptions = { parentTokens: 8_000, childTokens: 8_000, overlapTokens: 0 };
const model = { model: 'm', dimensions: 1_536 };
const LARGE = 'abcdefgh '.repeat(125_000);
const SLOTS = 4;

/** Tells how many bytes of large rows the batches have read and not yet come to the end of. */
class WatchedSource extends MemorySource {
  readonly inHand = new Set<bigint>();
  most = 0;
  /** Thrown once, as a large row is read. */
  fault: Fault | null = null;

  override async page(table: TableSpec, range: IdRange, bounds: PageBounds): Promise<SourcePage> {
    const page = await super.page(table, range, bounds);
    // The batch reads on: it is done with what it read before.
    this.inHand.delete(range.after);
    const large = page.rows.filter(({ content }) => (content?.length ?? 0) > 1_000_000);
    if (large.length > 0 && this.fault !== null) {
      const { fault } = this;
      this.fault = null;
      throw fault;
    }
    for (const { id } of large) this.inHand.add(id);
    this.most = Math.max(this.most, this.inHand.size);
    return page;
  }
}

/** Each batch has a small row, a large one and another small one. */
function setUp(budget: (rowBytes: number) => number) {
  const source = new WatchedSource(2);
  for (let slot = 0; slot < SLOTS; slot++) {
    const id = BigInt(slot * 10);
    source.set(id + 1n, `before ${slot}`);
    source.set(id + 2n, `${slot} ${LARGE}`);
    source.set(id + 3n, `after ${slot}`);
  }
  const rowBytes = largeRowBytes(LARGE.length + 2, { chunking, model });
  const services = {
    source,
    embedder: new MemoryEmbedder(),
    target: new MemoryTarget(),
    memory: new MemoryBudget(budget(rowBytes)),
  };
  const waits: (string | null)[] = [];
  const attempt = quietAttempt({ waiting: (reason) => void waits.push(reason) });
  const run = (slot: number) => {
    const range = { after: BigInt(slot * 10), upTo: BigInt(slot * 10 + 3) };
    const input: ReconcileInput = {
      ...RECONCILE_INPUT,
      range,
      pointsUpTo: range.upTo,
      chunking,
      model,
    };
    return reconcile(input, services, attempt);
  };
  return {
    services,
    source,
    waits,
    attempt,
    all: () => Promise.allSettled(Array.from({ length: SLOTS }, (_, k) => run(k))),
  };
}

function assertWritten(outcomes: readonly PromiseSettledResult<ReconcileResult>[]): void {
  const written = outcomes.map((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value.written : (outcome.reason as unknown),
  );
  assert.deepEqual(written, Array(SLOTS).fill(3));
}

for (const [rows, factor] of [
  [1, 0.5],
  [1, 1],
  [2, 2],
] as const) {
  test(`a budget of ${factor} large rows: ${rows} at a time, all are written, the waits are said`, async () => {
    const { services, source, waits, all } = setUp((rowBytes) => rowBytes * factor);
    assertWritten(await all());
    assert.equal(source.most, rows);
    assert.equal(waits.filter((reason) => reason === 'memory_budget').length, SLOTS - rows);
    assert.equal(waits.at(-1), null);
    assert.equal(services.memory.taken, 0);
  });
}

test('where the budget has room for all, nobody waits', async () => {
  const { source, waits, all } = setUp((rowBytes) => rowBytes * SLOTS);
  assertWritten(await all());
  assert.equal(source.most, SLOTS);
  assert.deepEqual(waits, []);
});

test('whoever fails over a large row gives its bytes back', async () => {
  const { services, source, all } = setUp((rowBytes) => rowBytes);
  source.fault = new Fault('source_misconfigured', 'as the row is read');
  const outcomes = await all();
  assert.equal(outcomes.filter(({ status }) => status === 'rejected').length, 1);
  assert.equal(services.memory.taken, 0);

  services.target.interrupt = () => {
    throw new Fault('target_refused', 'as the row is written');
  };
  await all();
  assert.equal(services.memory.taken, 0);
});

test('a transient fault as the row is read keeps the turn', async () => {
  const { services, source, waits, all } = setUp((rowBytes) => rowBytes);
  source.fault = new Fault('source_unavailable', undefined, { retryAfterMs: 1 });
  assertWritten(await all());
  assert.ok(waits.includes('source_unavailable'));
  assert.equal(source.most, 1);
  assert.equal(services.memory.taken, 0);
});
