import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chunk } from '../../src/chunking/chunker.ts';
import { countTokens } from '../../src/chunking/tokens.ts';
import { estimate, type SampledRecord } from '../../src/inquiry/estimate.ts';
import { storageNeed } from '../../src/inquiry/estimate-storage.ts';
import { plan, type SampleBounds } from '../../src/inquiry/plan.ts';
import {
  inputsPerRequest,
  recommendedBatchSize,
  requestsOfBatches,
} from '../../src/inquiry/plan-requests.ts';
import { sampleSizes, strataOfIds, strataOfPlan } from '../../src/inquiry/sample-sizes.ts';
import { LARGEST_CONTENT_BYTES, sizeBuckets, sizeClass } from '../../src/inquiry/sizes.ts';
import type { PlanReport } from '../../src/job/inquiry.ts';
import type { JobSpecification } from '../../src/job/specification.ts';
import { BatchEnds, BELOW_ALL_IDS } from '../../src/planning/plan.ts';
import { MAX_CONTENT_BYTES } from '../../src/source/query.ts';
import { quietAttempt } from '../support/attempt.ts';
import { MemoryEmbedder, MemorySource, MemoryTarget } from '../support/memory.ts';
import { fakeSpecification } from '../support/specification.ts';

const CHUNKING = { parentTokens: 16, childTokens: 8, overlapTokens: 2 };

async function planOf(
  source: MemorySource,
  changes: Partial<JobSpecification> = {},
  sample?: SampleBounds,
  embedder = new MemoryEmbedder(100),
): Promise<PlanReport> {
  const services = { source, embedder, target: new MemoryTarget(), ledger: null };
  const specification = fakeSpecification({ chunking: CHUNKING, ...changes });
  const question = { specification, isExact: false, usdPerMillionTokens: 2 };
  return plan(services, question, quietAttempt(), sample);
}

/** Parents, children and tokens by chunking everything, without the code under test. */
async function counted(source: MemorySource) {
  let [parents, children, tokens, skipped, refused] = [0, 0, 0, 0, 0];
  for (const { content, refused: why } of source.rows.values()) {
    if (why !== null) refused++;
    else if ((content ?? '').trim() === '') skipped++;
    for (const parent of await chunk(why === null ? (content ?? '') : '', CHUNKING)) {
      parents++;
      children += parent.children.length;
      for (const child of parent.children) tokens += countTokens(child);
    }
  }
  return { parents, children, tokens, skipped, refused };
}

const picked = ({ parents, children, tokens, skipped, refused }: PlanReport) => ({
  parents,
  children,
  tokens,
  skipped,
  refused,
});

describe('a plan from a sample', () => {
  const contents = fc.array(
    fc.option(
      fc
        .array(fc.constantFrom('alpha', 'beta', '数据', '😀', 'one. ', '\n\n'), { maxLength: 60 })
        .map((words) => words.join(' ')),
    ),
    { maxLength: 40 },
  );

  it('is exact for every table that the sample covers', async () => {
    await fc.assert(
      fc.asyncProperty(contents, async (texts) => {
        const source = new MemorySource();
        texts.forEach((text, at) => source.set(BigInt(at * 7), text));
        const report = await planOf(source);
        assert.deepEqual(picked(report), await counted(source));
        assert.deepEqual([report.sampled, report.size.records], [texts.length, texts.length]);
        assert.equal(report.inputs, report.children);
        assert.equal(report.costUsd, (report.tokens / 1e6) * 2);
      }),
      { numRuns: 40 },
    );
  });

  it('is near where the sample is a fraction, and rare giants hold most of the text', async () => {
    const source = new MemorySource(1_000);
    for (let at = 0; at < 3_000; at++) {
      const words = 5 + ((at * 37) % 60);
      source.set(BigInt(at), Array.from({ length: words }, (_, k) => `word${(at * k) % 977}`).join(' '));
    }
    for (const at of [17, 1_234, 2_999]) source.set(BigInt(at), 'A sentence of the giant. '.repeat(4_000));
    for (let at = 5; at < 3_000; at += 10) source.set(BigInt(at), null);
    const report = await planOf(
      source,
      {},
      { sizes: 20_000, strata: 200, contents: { records: 200, bytes: 1e6 } },
    );
    const truth = await counted(source);
    assert.ok(report.sampled < 300, `${report.sampled} records were read`);
    for (const name of ['parents', 'children', 'tokens', 'skipped'] as const) {
      const error = Math.abs(report[name] / truth[name] - 1);
      assert.ok(error < 0.1, `${name}: ${report[name]} for ${truth[name]}`);
    }
  });

  it('weighs sizes that are a sample too', async () => {
    const source = new MemorySource(1_000);
    for (let at = 0; at < 4_000; at++)
      source.set(BigInt(at * 11), `Row ${at} has a few words. `.repeat(1 + (at % 5)));
    const report = await planOf(
      source,
      {},
      { sizes: 400, strata: 20, contents: { records: 100, bytes: 1e6 } },
    );
    const truth = await counted(source);
    for (const name of ['parents', 'children', 'tokens'] as const) {
      assert.ok(
        Math.abs(report[name] / truth[name] - 1) < 0.1,
        `${name}: ${report[name]} for ${truth[name]}`,
      );
    }
  });

  it('counts refused records of every size apart', async () => {
    const source = new MemorySource(1_000);
    for (let at = 0; at < 20; at++) source.set(BigInt(at), 'a few words');
    source.rows.set(20n, { id: 20n, tenant: null, content: null, refused: 'content_too_large', copied: {} });
    const report = await planOf(source);
    assert.deepEqual([report.refused, report.skipped], [1, 0]);
  });

  it('sizes a job as the job would, with its limit', async () => {
    const source = new MemorySource();
    for (let at = 0; at < 25; at++) source.set(BigInt(at), 'a few words');
    const { size, sampled } = await planOf(source, { limit: 12, batchSize: 5 });
    assert.deepEqual([size, sampled], [{ partitions: 3, batches: 3, records: 12 }, 12]);
  });

  it('says nothing of a table without rows but its batches', async () => {
    const report = await planOf(new MemorySource(), { prune: true });
    assert.deepEqual(report.size, { partitions: 1, batches: 1, records: 0 });
    assert.deepEqual([report.tokens, report.costUsd, report.storage.diskBytes], [0, 0, 0]);
  });

  it('says how long the rate limits make it last, or nothing', async () => {
    const source = new MemorySource();
    for (let at = 0; at < 40; at++) source.set(BigInt(at), 'a few words');
    assert.equal((await planOf(source)).pace, null);
    const embedder = new MemoryEmbedder(10);
    embedder.limits = { requestsPerMinute: 2, tokensPerMinute: null };
    const { pace } = await planOf(source, {}, undefined, embedder);
    // Four batches of ten records, a child each, ten texts a request.
    assert.deepEqual(pace, { requestsPerMinute: 2, tokensPerMinute: null, requests: 4, seconds: 120 });
    embedder.limits = { requestsPerMinute: 2, tokensPerMinute: 10 };
    const { pace: slower, tokens } = await planOf(source, {}, undefined, embedder);
    assert.equal(slower?.seconds, Math.ceil((tokens / 10) * 60));
  });
});

describe('the estimate', () => {
  const record = (bytes: number, tokens: number): SampledRecord => ({
    bytes,
    tokens,
    isSkipped: false,
    isRefused: false,
    parents: 1,
    children: 2,
    textBytes: bytes * 2,
  });

  it('takes the nearest size for one that was not sampled', () => {
    const buckets = [
      { fromBytes: 64, records: 10, bytes: 1_000 },
      { fromBytes: 4_096, records: 1, bytes: 5_000 },
    ];
    const { tokens } = estimate(buckets, [record(100, 20), record(100, 30)]);
    assert.equal(tokens, 250 + 1_250);
  });

  it('takes records without bytes for skipped, and nothing from nothing', () => {
    assert.equal(estimate([{ fromBytes: 0, records: 7, bytes: 0 }], []).skipped, 7);
    assert.equal(estimate([{ fromBytes: 64, records: 7, bytes: 500 }], []).tokens, 0);
  });

  it('puts every size into the class whose bounds hold it', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 }), (bytes) => {
        const from = sizeClass(bytes);
        return bytes === 0 ? from === 0 : from <= bytes && bytes < 2 * from;
      }),
    );
    assert.equal(sizeClass(null), 0);
  });

  it('knows the same largest content as the source', () => {
    assert.equal(LARGEST_CONTENT_BYTES, MAX_CONTENT_BYTES);
  });
});

describe('strata', () => {
  it('of a plan tile it and hold its records', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 900 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 30 }),
        (rows, batchSize, count) => {
          const scan = new BatchEnds(batchSize);
          scan.add(Array.from({ length: rows }, (_, k) => BigInt(k) * 3n));
          const strata = strataOfPlan(scan, batchSize, count);
          assert.equal(strata[0]?.range.after, BELOW_ALL_IDS);
          assert.equal(strata.at(-1)?.range.upTo, BigInt(rows - 1) * 3n);
          strata.slice(1).forEach(({ range }, k) => assert.equal(range.after, strata[k]?.range.upTo));
          for (const { range, records } of strata) {
            const within = Array.from({ length: rows }, (_, k) => BigInt(k) * 3n).filter(
              (id) => id > range.after && id <= range.upTo,
            );
            assert.equal(within.length, records);
          }
        },
      ),
    );
  });

  it('of ids tile them', () => {
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(int64, int64, fc.integer({ min: 1, max: 300 }), (a, b, count) => {
        const [smallest, largest] = a < b ? [a, b] : [b, a];
        const strata = strataOfIds(smallest, largest, count);
        assert.ok(strata.length <= count);
        assert.equal(strata[0]?.range.after, smallest - 1n);
        assert.equal(strata.at(-1)?.range.upTo, largest);
        strata.slice(1).forEach(({ range }, k) => assert.equal(range.after, strata[k]?.range.upTo));
        for (const { range } of strata) assert.ok(range.after < range.upTo);
      }),
    );
  });

  it('share the records of a table evenly where nobody knows their own', async () => {
    const source = new MemorySource();
    for (let at = 0; at < 100; at++) source.set(BigInt(at), 'x'.repeat(at + 1));
    const read = <T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> =>
      call(new AbortController().signal);
    const sizes = await sampleSizes(
      source,
      fakeSpecification().table,
      strataOfIds(0n, 99n, 10),
      { perStratum: 4, records: 100 },
      read,
    );
    assert.equal(sizes.length, 40);
    assert.ok(Math.abs(sizeBuckets(sizes).reduce((sum, { records }) => sum + records, 0) - 100) < 1e-9);
  });
});

describe('requests', () => {
  it('are packed by the embedder, however few texts the sample has', () => {
    assert.equal(inputsPerRequest(new MemoryEmbedder(7), ['one', 'two']), 7);
    assert.equal(inputsPerRequest(new MemoryEmbedder(7), []), Infinity);
  });

  it('never mix batches', () => {
    assert.equal(requestsOfBatches(100, 10, 50), 10);
    assert.equal(requestsOfBatches(1_000, 10, 30), 40);
    assert.equal(requestsOfBatches(0, 10, 50), 0);
  });

  it('are filled by the recommended batch size, a readable number from 10 to 1,000', () => {
    assert.equal(recommendedBatchSize(3_000, 1_000, 1_100), 300);
    assert.equal(recommendedBatchSize(1_000_000, 1_000, 1_100), 10);
    assert.equal(recommendedBatchSize(1_000, 1_000, 2_048), 1_000);
    assert.equal(recommendedBatchSize(0, 0, Infinity), 1_000);
  });
});

describe('storage', () => {
  const points = { parents: 1_000, children: 4_000, tokens: 800_000, textBytes: 8_000_000 };

  it('is at least what vectors and texts take', () => {
    const { diskBytes, memoryBytes } = storageNeed(points, { dimensions: 1_536, binaryQuantization: false });
    assert.ok(diskBytes > 4_000 * 1_536 * 4 + 8_000_000);
    assert.ok(memoryBytes > 4_000 * 1_536 * 4);
  });

  it('takes a thirty-second of the memory for binary quantized vectors, and a bit more disk', () => {
    const plain = storageNeed(points, { dimensions: 1_536, binaryQuantization: false });
    const binary = storageNeed(points, { dimensions: 1_536, binaryQuantization: true });
    assert.equal(plain.memoryBytes - binary.memoryBytes, 4_000 * (1_536 * 4 - 1_536 / 8));
    assert.equal(binary.diskBytes - plain.diskBytes, (4_000 * 1_536) / 8);
  });
});
