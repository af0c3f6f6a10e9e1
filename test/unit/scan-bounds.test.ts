import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { scanBounds, type ScanBounds } from '../../src/target/scan-bounds.ts';

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

const int64 = fc.oneof(
  fc.bigInt({ min: MIN, max: MAX }),
  fc.bigInt({ min: -100n, max: 100n }),
  // Around the powers of two, where the distance between doubles changes.
  fc
    .tuple(fc.integer({ min: 50, max: 63 }), fc.bigInt({ min: -2_000n, max: 2_000n }), fc.boolean())
    .map(([exponent, offset, negative]) => clamp((negative ? -1n : 1n) * 2n ** BigInt(exponent) + offset)),
);
const range = fc
  .tuple(int64, int64)
  .map(([a, b]) => (a < b ? { after: a, upTo: b } : { after: b, upTo: a }))
  .filter(({ after, upTo }) => after < upTo);

describe('scanBounds', () => {
  it('lets every id of a range pass, compared as doubles', () => {
    fc.assert(
      fc.property(range, int64, (ids, anywhere) => {
        const bounds = scanBounds(ids);
        for (const id of [ids.after + 1n, ids.upTo, anywhere]) {
          assert.ok(
            id <= ids.after || id > ids.upTo || passesAsDouble(id, bounds),
            `${id} in ${shown(bounds)}`,
          );
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it('lets every id of a range pass, compared as integers', () => {
    fc.assert(
      fc.property(range, (ids) => {
        const bounds = scanBounds(ids);
        assert.ok(bounds.gte === undefined || BigInt(bounds.gte) <= ids.after + 1n, shown(bounds));
        assert.ok(bounds.lte === undefined || BigInt(bounds.lte) >= ids.upTo, shown(bounds));
      }),
      { numRuns: 5_000 },
    );
  });

  it('lets few others pass: at most three steps between doubles beyond each end', () => {
    fc.assert(
      fc.property(range, (ids) => {
        const bounds = scanBounds(ids);
        assert.ok(bounds.gte === undefined || ids.after - BigInt(bounds.gte) <= 3n * 1_024n, shown(bounds));
        assert.ok(bounds.lte === undefined || BigInt(bounds.lte) - ids.upTo <= 3n * 1_024n, shown(bounds));
      }),
      { numRuns: 5_000 },
    );
  });

  it('survives JSON as it stands', () => {
    fc.assert(
      fc.property(range, (ids) => {
        const bounds = scanBounds(ids);
        assert.deepEqual(JSON.parse(JSON.stringify(bounds)), bounds);
      }),
    );
  });

  it('is exact where doubles are', () => {
    assert.deepEqual(scanBounds({ after: 0n, upTo: 100n }), { gte: 0, lte: 100 });
    assert.deepEqual(scanBounds({ after: -(2n ** 53n), upTo: 2n ** 53n }), { gte: -(2 ** 53), lte: 2 ** 53 });
  });

  it('widens beyond 2^53', () => {
    const id = 1_789_000_000_123_456_789n;
    const { gte, lte } = scanBounds({ after: id, upTo: id });
    assert.equal(BigInt(gte!), 1_789_000_000_123_456_512n);
    assert.equal(BigInt(lte!), 1_789_000_000_123_457_024n);
  });

  it('is open where no 64-bit integer lies beyond', () => {
    assert.deepEqual(scanBounds({ after: MIN, upTo: MAX }), {});
    assert.deepEqual(scanBounds({ after: MIN - 1n, upTo: 5n }), { lte: 5 });
    assert.deepEqual(scanBounds({ after: 5n, upTo: MAX }), { gte: 5 });
  });
});

function passesAsDouble(id: bigint, { gte = -Infinity, lte = Infinity }: ScanBounds): boolean {
  return Number(id) >= gte && Number(id) <= lte;
}

function clamp(value: bigint): bigint {
  return value < MIN ? MIN : value > MAX ? MAX : value;
}

function shown(bounds: ScanBounds): string {
  return JSON.stringify(bounds);
}
