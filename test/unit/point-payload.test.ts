import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  headPaths,
  PAYLOAD_KEYS,
  pointHash,
  pointHead,
  pointPayload,
  unfinishedChecksum,
} from '../../src/target/payload.ts';
import type { Point, PointWrite } from '../../src/target/target.ts';
import { requests } from '../../src/target/write.ts';

const point: Point = {
  id: '5d0d4a2e-8c41-5d3a-9c12-6a4a3d1f0e11',
  recordId: 1_789_000_000_123_456_789n,
  tenant: 'M-7',
  type: 'child',
  parentIndex: 0,
  chunkIndex: 3,
  parentId: '0c8a7f3e-3b5e-5a54-8f53-8a1f0f2f9d10',
  text: '会议纪要 and minutes',
  checksum: 'c'.repeat(64),
  pointCount: 5,
  copied: { title: 'Q3', big: 9_007_199_254_740_993n, small: 5n, ratio: 0.1, flag: true, gone: null },
};

describe('pointPayload', () => {
  it('has every key of the product but collection_ids, and the copied columns', () => {
    const payload = pointPayload(point, 'crm/memo', 'job-1');
    const expected = [
      ...PAYLOAD_KEYS.filter((key) => key !== 'collection_ids'),
      ...Object.keys(point.copied),
    ];
    assert.deepEqual(Object.keys(payload).sort(), expected.sort());
    assert.equal(payload.source, 'crm/memo');
    assert.equal(payload.summary_id, point.recordId);
    assert.equal(payload.member_code, 'M-7');
    assert.equal(payload.parent_idx, 0);
    assert.equal(payload.chunk_index, 3);
    assert.equal(payload.parent_id, point.parentId);
    assert.equal(payload.point_count, 5);
    assert.equal(payload.job_id, 'job-1');
    assert.match(String(payload.point_hash), /^[0-9a-f]{64}$/);
  });

  it('states null where a parent or a record without tenant has nothing', () => {
    const parent: Point = { ...point, type: 'parent', chunkIndex: null, parentId: null, tenant: null };
    const payload = pointPayload(parent, 'crm/memo', 'job-1');
    assert.deepEqual([payload.chunk_index, payload.parent_id, payload.member_code], [null, null, null]);
  });

  it('lets no copied column replace a key of the product', () => {
    const payload = pointPayload(
      { ...point, copied: { text: 'stolen', source: 'stolen' } },
      'crm/memo',
      'job-1',
    );
    assert.equal(payload.text, point.text);
    assert.equal(payload.source, 'crm/memo');
  });
});

describe('pointHash', () => {
  const columns = Object.keys(point.copied);
  const payload = pointPayload(point, 'crm/memo', 'job-1');

  it('is what the payload carries', () => {
    assert.equal(pointHash(payload, columns), payload.point_hash);
  });

  it('has a value that may never change', () => {
    // Computed with Python over the keys that are not null: json.dumps(…, sort_keys=True, ensure_ascii=False).
    assert.equal(payload.point_hash, '64792d65a9d1857d0dc544ce060b8f5bd5ee9144199f639dfdb585d97304d41c');
  });

  it('ignores job_id, collection_ids and keys of others', () => {
    const read = { ...payload, job_id: 'job-2', collection_ids: [1, 2], likes: 3 };
    assert.equal(pointHash(read, columns), payload.point_hash);
  });

  it('is the same after a round trip, where safe integers come back as numbers', () => {
    assert.equal(pointHash({ ...payload, small: 5 }, columns), payload.point_hash);
  });

  it('is the same where null has become an absent key, as set_payload does it', () => {
    assert.equal(pointHash({ ...payload, gone: undefined }, columns), payload.point_hash);
  });

  it('does not depend on the order of keys', () => {
    const reversed = Object.fromEntries(Object.entries(payload).reverse());
    assert.equal(pointHash(reversed, [...columns].reverse()), payload.point_hash);
  });

  it('shows damage to any key of ours', () => {
    for (const key of [...PAYLOAD_KEYS, ...columns]) {
      if (!['job_id', 'collection_ids', 'point_hash'].includes(key)) {
        if (payload[key] !== null) {
          assert.notEqual(
            pointHash({ ...payload, [key]: undefined }, columns),
            payload.point_hash,
            `${key} lost`,
          );
        }
        assert.notEqual(pointHash({ ...payload, [key]: 'damaged' }, columns), payload.point_hash, key);
      }
    }
  });

  it('tells neighbours beyond 2^53 apart', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 2n }), (id) => {
        assert.notEqual(
          pointHash({ ...payload, summary_id: id }, columns),
          pointHash({ ...payload, summary_id: id + 1n }, columns),
        );
      }),
    );
  });
});

describe('pointHead', () => {
  const stored = {
    summary_id: 7,
    type: 'parent',
    checksum: 'abc',
    point_count: 2,
    member_code: 'M',
    collection_ids: [3],
  };

  it('reads integers as bigint, however the driver gives them', () => {
    const head = pointHead('id', { ...stored, a: 5, b: 2n ** 60n, c: 0.5 }, ['a', 'b', 'c']);
    assert.deepEqual(head, {
      id: 'id',
      recordId: 7n,
      type: 'parent',
      checksum: 'abc',
      isUnfinished: false,
      pointCount: 2,
      tenant: 'M',
      copied: { a: 5n, b: 2n ** 60n, c: 0.5 },
      collectionIds: [3],
    });
  });

  it('knows what is unfinished: without checksum, or with that of a change that has begun', () => {
    const unfinished = [
      [{ ...stored, checksum: '' }, null],
      [{ summary_id: 7 }, null],
      [{ ...stored, checksum: unfinishedChecksum('abc') }, unfinishedChecksum('abc')],
    ] as const;
    for (const [payload, checksum] of unfinished) {
      const head = pointHead('id', payload, []);
      assert.deepEqual([head?.checksum, head?.isUnfinished], [checksum, true]);
    }
  });

  it('knows no record without an exact id', () => {
    for (const summary_id of [undefined, null, '7', 7.5, [7], 2 ** 60]) {
      assert.equal(pointHead('id', { ...stored, summary_id }, []), null);
    }
  });

  it('reads an absent copied column as null, and leaves out what no column can hold, so that it differs', () => {
    const head = pointHead('id', { ...stored, a: { x: 1 }, b: [1], c: null }, ['a', 'b', 'c', 'd']);
    assert.deepEqual(head?.copied, { c: null, d: null });
  });

  it('quotes names that would read as paths', () => {
    assert.deepEqual(headPaths(['title', 'a.b', 'x[0]', '标题']).slice(-4), [
      'title',
      '"a.b"',
      '"x[0]"',
      '"标题"',
    ]);
  });
});

describe('requests', () => {
  const write = (dimensions: number, text = 'text'): PointWrite => ({
    action: 'create',
    point: { ...point, text },
    vector: Array<number>(dimensions).fill(0.1),
    collectionIds: null,
  });

  it('keeps the order and loses nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(4_000), { maxLength: 600 }), (sizes) => {
        const writes = sizes.map((size) => write(0, 'x'.repeat(size)));
        assert.deepEqual([...requests(writes)].flat(), writes);
      }),
      { numRuns: 20 },
    );
  });

  it('holds at most 256 points and about 8 MiB', () => {
    const sizes = (writes: readonly PointWrite[]) => [...requests(writes)].map(({ length }) => length);
    assert.deepEqual(sizes(Array<PointWrite>(600).fill(write(8))), [256, 256, 88]);
    assert.ok(Math.max(...sizes(Array<PointWrite>(300).fill(write(3_072)))) < 128);
    assert.deepEqual(sizes([write(8, 'x'.repeat(9_000_000)), write(8)]), [1, 1]);
  });
});
