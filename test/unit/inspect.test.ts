import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Fault, InputError } from '../../src/errors.ts';
import { inspect, MAX_INSPECTED_POINTS, recordIdOf } from '../../src/inquiry/inspect.ts';
import type { InquiryServices } from '../../src/inquiry/services.ts';
import { expectationOf } from '../../src/reconcile/compare.ts';
import { desiredPoints } from '../../src/reconcile/diff.ts';
import { chunk } from '../../src/chunking/chunker.ts';
import type { SourceRow } from '../../src/source/source.ts';
import type { StoredPoint } from '../../src/target/target.ts';
import { fakeSpecification } from '../support/specification.ts';

const specification = fakeSpecification({
  table: { ...fakeSpecification().table, payloadColumns: ['big', 'name'] },
});
const ID = 9_007_199_254_740_993n;
const ROW: SourceRow = {
  id: ID,
  tenant: 'acme',
  content: 'One sentence. And another one.',
  refused: null,
  copied: { big: 2n ** 60n, name: 'x' },
};

const attempt = {
  signal: new AbortController().signal,
  stop: new AbortController().signal,
  patienceMs: 0,
  progressed: () => undefined,
  waiting: () => undefined,
};

/** The points that a row should have, as Qdrant would give them, in no order. */
async function stored(row: SourceRow): Promise<StoredPoint[]> {
  const { chunking, collection, source } = specification;
  const expected = expectationOf(row, { chunking, model: collection });
  const points = desiredPoints(source, expected, await chunk(row.content ?? '', chunking));
  return points
    .map((point): StoredPoint => ({
      head: { ...point, isUnfinished: false, collectionIds: null },
      parentIndex: point.parentIndex,
      chunkIndex: point.chunkIndex,
      text: point.text,
      jobId: 'job',
      hasDense: point.type === 'child',
      hasSparse: point.type === 'child',
      isIntact: true,
    }))
    .toReversed();
}

function services(
  row: SourceRow | null,
  points: readonly StoredPoint[],
  { collection = 'memos_v1', exists = row !== null }: { collection?: string | null; exists?: boolean } = {},
): InquiryServices {
  return {
    source: {
      page: async () => ({ rows: row === null ? [] : [row], upTo: ID }),
      existing: async () => new Set(exists ? [ID] : []),
      sizes: async () => [{ id: ID, bytes: 17_000_000 }],
    },
    target: {
      find: async () => ({ collection }),
      record: async () => {
        if (collection === null) throw new Fault('target_collection_missing');
        return points;
      },
    },
  } as unknown as InquiryServices;
}

const ask = (from: InquiryServices, withContent = false) =>
  inspect(from, { specification, recordId: String(ID), withContent }, attempt);

describe('recordIdOf', () => {
  it('takes every signed 64-bit integer exactly', () => {
    for (const id of [0n, -17n, ID, 2n ** 63n - 1n, -(2n ** 63n)]) assert.equal(recordIdOf(String(id)), id);
  });

  it('refuses everything else by a sentence', () => {
    for (const text of ['', ' 1', '1e3', '0x1', '+1', '1.0', String(2n ** 63n), String(-(2n ** 63n) - 1n)]) {
      assert.throws(() => recordIdOf(text), InputError, text);
    }
  });
});

describe('inspect', () => {
  it('calls a record exact, with its points in order and 64-bit integers as text', async () => {
    const report = await ask(services(ROW, await stored(ROW)));
    assert.equal(report.state, 'exact');
    assert.deepEqual(
      report.points.map(({ type, text }) => [type, text]),
      [
        ['parent', null],
        ['child', null],
      ],
    );
    assert.deepEqual(report.row?.copied, { big: String(2n ** 60n), name: 'x' });
    assert.deepEqual([report.row?.parents, report.row?.children, report.pointCount], [1, 1, 2]);
    assert.equal(report.row?.contentBytes, 30);
    assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
  });

  it('tells the states apart', async () => {
    const points = await stored(ROW);
    const blank = { ...ROW, content: ' ' };
    const refused = { ...ROW, content: null, refused: 'content_too_large' } as const;
    const of = async (...from: Parameters<typeof services>) => (await ask(services(...from))).state;
    assert.equal(await of({ ...ROW, content: 'Changed.' }, points), 'outdated');
    assert.equal(await of({ ...ROW, tenant: 'other' }, points), 'outdated');
    assert.equal(await of(ROW, points.slice(1)), 'outdated');
    assert.equal(await of(ROW, []), 'missing');
    assert.equal(await of(ROW, [], { collection: null }), 'missing');
    assert.equal(await of(blank, []), 'absent');
    assert.equal(await of(blank, points), 'outdated');
    assert.equal(await of(null, []), 'absent');
    assert.equal(await of(null, points), 'orphaned');
    assert.equal(await of(null, points, { exists: true }), 'filtered');
    assert.equal(await of(refused, []), 'missing');
    assert.equal(await of(refused, points), 'outdated');
  });

  it('shows the size of content that is refused as the source stores it', async () => {
    const { row } = await ask(services({ ...ROW, content: null, refused: 'content_too_large' }, []));
    assert.deepEqual(
      [row?.contentBytes, row?.refused, row?.checksum],
      [17_000_000, 'content_too_large', null],
    );
  });

  it('gives texts on request', async () => {
    const { points } = await ask(services(ROW, await stored(ROW)), true);
    assert.deepEqual(
      points.map(({ text }) => text),
      [ROW.content, ROW.content],
    );
  });

  it('cuts copied columns of long text', async () => {
    const copied = Object.fromEntries(
      Array.from({ length: 100 }, (_, k) => [`long${k}`, '\n\u0001文😀'.repeat(50_000)]),
    );
    const report = await ask(services({ ...ROW, copied }, await stored(ROW)), true);
    const shown = Object.values(report.row?.copied ?? {}).map(String);
    assert.ok(Buffer.byteLength(JSON.stringify(report)) < 2 * 1024 * 1024);
    assert.ok(shown.every((text) => text.endsWith('…') && text.isWellFormed()));
    assert.ok((shown[0] ?? '').length > 1_000);
  });

  it('lists no more points than an answer has room for', async () => {
    const [point] = await stored(ROW);
    const many = Array.from({ length: MAX_INSPECTED_POINTS + 5 }, () => ({
      ...(point as StoredPoint),
      head: { ...(point as StoredPoint).head, id: '00000000-0000-4000-8000-000000000000' },
      jobId: '00000000-0000-4000-8000-000000000000',
      text: '文\n"'.repeat(1_000),
    }));
    const report = await ask(services(ROW, many), true);
    assert.deepEqual([report.pointCount, report.points.length], [many.length, MAX_INSPECTED_POINTS]);
    assert.ok(Buffer.byteLength(JSON.stringify(report)) < 2 * 1024 * 1024);
    assert.notEqual(report.points[0]?.text, null);
    assert.equal(report.points.at(-1)?.text, null);
  });
});
