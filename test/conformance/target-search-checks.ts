import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Point, PointOwner, SearchQuery } from '../../src/target/target.ts';
import {
  creations,
  family,
  parent,
  signal,
  SNOWFLAKE,
  unitVector,
  write,
  type TargetBench,
} from './target-bench.ts';
import type { TargetChecks } from './target-suite.ts';

const TEXTS = [
  '季度会议纪要：市场部讨论了明年的预算安排',
  'Minutes of the quarterly budget meeting',
  '今天天气很好，我们去公园散步',
  'The ferry leaves the harbour at noon',
];
const NOTHING: SearchQuery = { text: null, vector: null, limit: 10, tenant: null };

/** Four children in two languages and of two tenants, and a copy of the first that belongs to another owner. */
async function library(bench: TargetBench) {
  const owner = await bench.newOwner();
  const points = TEXTS.map((text, index): Point => ({
    ...family(SNOWFLAKE + BigInt(index)).child,
    text,
    tenant: index < 2 ? 'M-1' : 'M-2',
  }));
  const vectors = new Map(points.map((point) => [point, unitVector()]));
  await write(bench, owner, creations(points, vectors));
  const copy = { ...points[0]!, id: randomUUID() };
  const other = { ...owner, source: `${owner.source}-other` };
  await write(bench, other, creations([copy], new Map([[copy, vectors.get(points[0]!)!]])));
  const vectorOf = (index: number) => vectors.get(points[index]!)!;
  const find = async (query: Partial<SearchQuery>) =>
    bench.target.search(owner, { ...NOTHING, ...query }, signal);
  const ids = async (query: Partial<SearchQuery>) => (await find(query)).map(({ id }) => id);
  const idOf = (...indexes: number[]) => indexes.map((index) => points[index]!.id);
  return { owner, points, vectorOf, find, ids, idOf };
}

/** Parents with children that lie the further from `north`, the later they come. */
async function parents(bench: TargetBench) {
  const owner = await bench.newOwner();
  const north = Array.from({ length: 64 }, (_, index) => (index === 0 ? 1 : 0));
  const away = (angle: number) => north.map((_, axis) => [Math.cos(angle), Math.sin(angle)][axis] ?? 0);
  const vectors = new Map<Point, number[]>();
  const fathers = ['harbour master', 'ferry captain', 'light house'].map((text, index): Point => ({
    ...parent(BigInt(index + 1)),
    parentIndex: index,
    tenant: index === 2 ? 'M-2' : 'M-1',
    text,
  }));
  const children = fathers.flatMap((father, index) =>
    Array.from({ length: index === 0 ? 5 : 2 }, (_, ordinal): Point => {
      const id = randomUUID();
      const text = `${father.text} ${ordinal}`;
      const child: Point = { ...father, id, type: 'child', chunkIndex: ordinal, parentId: father.id, text };
      vectors.set(child, away(index / 10 + ordinal / 100));
      return child;
    }),
  );
  await write(bench, owner, creations([...fathers, ...children], vectors));
  const find = (query: Partial<SearchQuery>, of: PointOwner = owner) =>
    bench.target.searchParents(of, { ...NOTHING, ...query }, signal);
  return { owner, north, fathers, children, find };
}

export const searchChecks: TargetChecks = {
  'search: finds words in English, by their stems and without stop words': async (bench) => {
    const { ids, idOf } = await library(bench);
    assert.deepEqual(await ids({ text: 'meetings' }), idOf(1));
    assert.deepEqual(await ids({ text: 'harbour' }), idOf(3));
    assert.deepEqual(await ids({ text: 'the' }), []);
  },

  'search: finds words inside of Chinese sentences': async (bench) => {
    const { ids, idOf } = await library(bench);
    assert.deepEqual(await ids({ text: '预算' }), idOf(0));
    assert.deepEqual(await ids({ text: '公园' }), idOf(2));
  },

  'search: finds by meaning, the nearest first': async (bench) => {
    const { find, vectorOf, points } = await library(bench);
    const hits = await find({ vector: vectorOf(2) });
    assert.equal(hits.length, 4);
    const [best] = hits;
    const { id, recordId, tenant, parentIndex, chunkIndex, text } = points[2]!;
    assert.deepEqual(
      { ...best, score: 1 },
      { id, score: 1, recordId, tenant, parentIndex, chunkIndex, text, copied: {} },
    );
    assert.ok(Math.abs(best!.score - 1) < 1e-5);
    const scores = hits.map(({ score }) => score);
    assert.deepEqual(
      scores,
      [...scores].sort((a, b) => b - a),
    );
    assert.equal((await find({ vector: vectorOf(2), limit: 2 })).length, 2);
  },

  'search: fuses words and meaning, so that what both find comes first': async (bench) => {
    const { find, vectorOf, idOf } = await library(bench);
    const [best, ...others] = await find({ text: 'harbour', vector: vectorOf(3), limit: 3 });
    assert.deepEqual([best?.id], idOf(3));
    assert.equal(best?.recordId, SNOWFLAKE + 3n);
    assert.equal(others.length, 2);
    assert.ok(best.score > others[0]!.score);
    // Found by words only, and far from the vector.
    const hits = await find({ text: '预算', vector: vectorOf(1), limit: 2 });
    assert.deepEqual(hits.map(({ id }) => id).sort(), idOf(0, 1).sort());
  },

  'search: gives the copied columns that are asked for, of children and of parents': async (bench) => {
    const owner = await bench.newOwner();
    const copied = { kind: 'memo', 'odd.name': SNOWFLAKE, draft: null };
    const { parent: father, child } = family(SNOWFLAKE);
    const points = [father, child].map((point) => ({ ...point, copied, text: TEXTS[3]! }));
    await write(bench, owner, creations(points));
    const query = { ...NOTHING, text: 'harbour', copiedColumns: ['odd.name', 'draft'] };
    const asked = { 'odd.name': SNOWFLAKE, draft: null };
    assert.deepEqual((await bench.target.search(owner, query, signal))[0]?.copied, asked);
    const [found] = await bench.target.searchParents(owner, query, signal);
    assert.deepEqual([found?.copied, found?.children[0]?.copied], [asked, asked]);
  },

  'search: keeps to one tenant': async (bench) => {
    const { ids, vectorOf, idOf } = await library(bench);
    assert.deepEqual(await ids({ text: 'harbour', tenant: 'M-1' }), []);
    const both = { text: 'harbour', vector: vectorOf(3), tenant: 'M-1' };
    assert.deepEqual((await ids(both)).sort(), idOf(0, 1).sort());
    assert.deepEqual((await ids({ vector: vectorOf(3), tenant: 'M-2' })).sort(), idOf(2, 3).sort());
  },

  'search: makes words as the collection says that its points made them': async (bench) => {
    const spec = bench.newSpec();
    const bm25 = { ...spec.bm25, tokenizer: 'word' as const };
    const { collection } = await bench.target.prepare({ ...spec, bm25 }, signal);
    const owner = { collection, source: 'crm/memo' };
    const point = { ...family(1n).child, text: TEXTS[0]! };
    await bench.target.write(owner, randomUUID(), bm25, creations([point]), signal);
    const find = async (text: string) =>
      (await bench.target.search(owner, { ...NOTHING, text }, signal)).map(({ id }) => id);
    assert.deepEqual(await find('季度会议纪要'), [point.id]);
    assert.deepEqual(await find('会议'), []);
  },

  'search for parents: gives parents with their text and best children, best first': async (bench) => {
    const { find, north, fathers, children } = await parents(bench);
    const found = await find({ vector: north });
    assert.deepEqual(
      found.map(({ id, recordId, tenant, parentIndex, text }) => ({
        id,
        recordId,
        tenant,
        parentIndex,
        text,
      })),
      fathers.map(({ id, recordId, tenant, parentIndex, text }) => ({
        id,
        recordId,
        tenant,
        parentIndex,
        text,
      })),
    );
    assert.deepEqual(
      found.map((hit) => hit.children.map(({ id }) => id)),
      [children.slice(0, 3), children.slice(5, 7), children.slice(7, 9)].map((some) =>
        some.map(({ id }) => id),
      ),
    );
    for (const { score, children: of } of found) assert.equal(score, of[0]?.score);
    assert.equal((await find({ vector: north, limit: 2 })).length, 2);
  },

  'search for parents: takes words, both, and one tenant': async (bench) => {
    const { find, north, fathers } = await parents(bench);
    const texts = async (query: Partial<SearchQuery>) => (await find(query)).map(({ text }) => text);
    assert.deepEqual(await texts({ text: 'captains' }), ['ferry captain']);
    const both = await texts({ text: 'captains', vector: north });
    assert.deepEqual(both.sort(), fathers.map(({ text }) => text).sort());
    assert.deepEqual(await texts({ vector: north, tenant: 'M-2' }), ['light house']);
    assert.deepEqual(await texts({ text: 'captains', tenant: 'M-2' }), []);
  },

  'search for parents: leaves out a parent whose point is gone, and other owners': async (bench) => {
    const { owner, find, north, fathers } = await parents(bench);
    await bench.target.delete(owner.collection, [fathers[1]!], signal);
    const left = [fathers[0], fathers[2]].map((father) => father!.text);
    assert.deepEqual(
      (await find({ vector: north })).map(({ text }) => text),
      left,
    );
    assert.deepEqual(await find({ vector: north }, { ...owner, source: 'crm/other' }), []);
  },
};
