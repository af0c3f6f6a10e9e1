import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Json, WholePoint } from '../support/damage.ts';
import {
  assertFound,
  bm25,
  BLANK,
  COLLECTED,
  changed,
  DamagedJob,
  FOREIGN,
  idOf,
  LONG,
  ROWS,
  SHORT,
  type Found,
} from '../support/damaged-job.ts';
import { distinctText, snowflake } from '../support/rows.ts';

interface Sparse {
  readonly indices: readonly number[];
  readonly values: readonly number[];
}

let job: DamagedJob;
before(async () => {
  job = await DamagedJob.open();
});
after(() => job.close());

test('what the migration left has no findings', async () => {
  const { missing, extra, wrong, foreignPoints, parents } = await job.audit();
  const none = { count: 0, examples: [] };
  assert.deepEqual({ missing, extra, wrong }, { missing: none, extra: none, wrong: none });
  assert.equal(foreignPoints, FOREIGN.length);
  assert.ok(parents >= ROWS, 'a record has several parents');
});

describe('damage to points', () => {
  const change =
    (payload: Json, options = {}) =>
    () =>
      job.target.put([changed(job.pointOf(LONG, 'child', 2), payload, options)]);
  const vectors = (vector: Json) => () => {
    const point = job.pointOf(LONG, 'child', 2);
    return job.target.put([{ ...point, vector: { ...point.vector, ...vector } }]);
  };
  /** With the vectors and the hash that belong to its new text: nothing but the text itself is wrong. */
  const reworded = async (point: WholePoint, payload: Json): Promise<void> => {
    const text = String(payload['text']);
    await job.target.put([
      {
        ...changed(point, payload, { forge: true }),
        vector: { child: await job.embed(text), 'child-sparse': bm25(text) },
      },
    ]);
  };
  const long = idOf(LONG);
  const absent = String(snowflake(500));
  const rounded = String(BigInt(Number(snowflake(LONG))));

  const plants: Record<string, readonly [plant: () => Promise<unknown>, ...found: Found[]]> = {
    'a child is missing': [
      () => job.target.delete([job.pointOf(LONG, 'child', 3).id]),
      ['missing', long, /^child 3 of those below/],
    ],
    'the last child is missing': [
      () => job.target.delete([job.pointOf(LONG, 'child', job.childrenOf(LONG) - 1).id]),
      ['wrong', long, /^it has \d+ points, point_count says \d+$/],
      ['wrong', long, /^parent \d: (its last child leaves text uncovered|it has no child)$/],
    ],
    'a parent is missing': [
      () => job.target.delete([job.pointOf(LONG, 'parent', 1).id]),
      ['missing', long, /^parent 1 of those below/],
    ],
    'a record is missing': [
      () => job.target.delete(job.pointsOf(SHORT).map(({ id }) => id)),
      ['missing', idOf(SHORT), /^the row has content and no point$/],
    ],
    'a child exists twice': [
      () => job.target.put([{ ...job.pointOf(LONG, 'child', 2), id: randomUUID() }]),
      ['extra', long, /^child 2 exists twice$/],
    ],
    'a child too many': [
      () =>
        job.target.put([
          {
            ...changed(job.pointOf(LONG, 'child', 2), { chunk_index: job.childrenOf(LONG) }),
            id: randomUUID(),
          },
        ]),
      ['wrong', long, /^it has \d+ points, point_count says/],
      ['wrong', long, /its id is not the UUIDv5 of its place$/],
    ],
    'points of a record that the table lacks': [
      () =>
        job.target.put(
          job.pointsOf(SHORT).map((point) => ({
            ...changed(point, { summary_id: snowflake(500) }),
            id: randomUUID(),
          })),
        ),
      ['extra', absent, /^parent 0 of a record that the table lacks$/],
    ],
    'points of a row without content': [
      () =>
        job.target.put(
          job.pointsOf(SHORT).map((point) => ({
            ...changed(point, { summary_id: snowflake(BLANK) }),
            id: randomUUID(),
          })),
        ),
      ['extra', idOf(BLANK), /^parent 0 of a row without content$/],
    ],
    'the dense vector of another text': [
      () => vectors({ child: job.pointOf(SHORT, 'child', 0).vector['child'] })(),
      ['wrong', long, /^child 2: dense vector is not that of its text$/],
    ],
    'the sparse vector of another text': [
      vectors({ 'child-sparse': bm25('Something else.') }),
      ['wrong', long, /^child 2: sparse vector is not that of its text: other words$/],
    ],
    'a sparse vector with other weights': [
      () => {
        const { indices, values } = job.pointOf(LONG, 'child', 2).vector['child-sparse'] as Sparse;
        return vectors({ 'child-sparse': { indices, values: values.map((value) => value * 1.01) } })();
      },
      ['wrong', long, /^child 2: sparse vector is not that of its text: other weights$/],
    ],
    'no sparse vector': [
      () => {
        const point = job.pointOf(LONG, 'child', 2);
        return job.target.put([{ ...point, vector: { child: point.vector['child'] } }]);
      },
      ['wrong', long, /^child 2: sparse vector is absent or empty$/],
    ],
    'no dense vector': [
      () => {
        const point = job.pointOf(LONG, 'child', 2);
        return job.target.put([{ ...point, vector: { 'child-sparse': point.vector['child-sparse'] } }]);
      },
      ['wrong', long, /^child 2: dense vector is not a list of 1536 numbers$/],
    ],
    'a parent with a vector': [
      () =>
        job.target.put([
          {
            ...job.pointOf(LONG, 'parent', 0),
            vector: { child: job.pointOf(LONG, 'child', 0).vector['child'] },
          },
        ]),
      ['wrong', long, /^parent 0: has a vector 'child'$/],
    ],
    'another text under the old vectors': [
      change({ text: 'Something else.' }),
      ['wrong', long, /^child 2: dense vector is not that of its text$/],
      ['wrong', long, /^child 2: point_hash is not that of its payload$/],
    ],
    'another text with vectors and hash of its own': [
      () => reworded(job.pointOf(LONG, 'child', 2), { text: 'Something else.' }),
      ['wrong', long, /^parent 0: its child 2 is not a part of it$/],
    ],
    'a shifted chunk with vectors and hash of its own': [
      () => {
        const point = job.pointOf(LONG, 'child', 2);
        return reworded(point, { text: String(point.payload['text']).slice(400) });
      },
      ['wrong', long, /^parent 0: its child 2 leaves a gap before it/],
    ],
    'a parent cut short, with a hash of its own': [
      () => {
        const point = job.pointOf(LONG, 'parent', 1);
        const text = String(point.payload['text']).slice(0, -30);
        return job.target.put([changed(point, { text }, { forge: true })]);
      },
      ['wrong', long, /^the parents do not cover the row's text exactly$/],
    ],
    'another parent_id': [
      change({ parent_id: randomUUID() }, { forge: true }),
      ['wrong', long, /^child 2: parent_id is not the id of its parent$/],
    ],
    'another parent_idx': [
      change({ parent_idx: 1 }, { forge: true }),
      ['wrong', long, /^child 2: parent_id is not the id of its parent$/],
    ],
    'two children have changed places': [
      () =>
        job.target.put([
          changed(job.pointOf(LONG, 'child', 1), { chunk_index: 2 }, { forge: true }),
          changed(job.pointOf(LONG, 'child', 2), { chunk_index: 1 }, { forge: true }),
        ]),
      ['wrong', long, /^child 1: its id is not the UUIDv5 of its place$/],
      ['wrong', long, /^parent 0: its child \d leaves a gap before it/],
    ],
    'no ordinal': [
      change({ chunk_index: null }),
      ['wrong', long, /^point [-0-9a-f]+ has no type or ordinal$/],
    ],
    'another type': [change({ type: 'piece' }), ['wrong', long, /^point [-0-9a-f]+ has no type or ordinal$/]],
    'another checksum on one point': [
      change({ checksum: 'c'.repeat(64) }, { forge: true }),
      ['wrong', long, /^its points have several checksums$/],
    ],
    'another checksum on all points, with hashes of their own': [
      () =>
        job.target.put(
          job.pointsOf(SHORT).map((one) => changed(one, { checksum: 'c'.repeat(64) }, { forge: true })),
        ),
      ['wrong', idOf(SHORT), /^child 0: checksum is not that of the row's content$/],
    ],
    'a change that began and did not end': [
      change({ checksum: '' }),
      ['wrong', long, /^child 2: checksum is not 64 hex digits$/],
    ],
    'another point_count': [
      () =>
        job.target.put(job.pointsOf(SHORT).map((one) => changed(one, { point_count: 9 }, { forge: true }))),
      ['wrong', idOf(SHORT), /^it has \d+ points, point_count says 9$/],
    ],
    'another point_hash': [
      change({ point_hash: 'd'.repeat(64) }),
      ['wrong', long, /^child 2: point_hash is not that of its payload$/],
    ],
    'another tenant': [
      change({ member_code: 'tenant-9' }, { forge: true }),
      ['wrong', long, /^child 2: member_code is not the row's tenant$/],
    ],
    'another copied text': [
      change({ title: 'Title 0' }, { forge: true }),
      ['wrong', long, /^child 2: title is not the row's$/],
    ],
    'a copied number lost': [
      change({ rank: null }, { forge: true }),
      ['wrong', long, /^child 2: rank is not the row's$/],
    ],
    'no collection_ids': [
      () => {
        const payload = { ...job.pointOf(LONG, 'child', 2).payload };
        delete payload['collection_ids'];
        return job.target.put([{ ...job.pointOf(LONG, 'child', 2), payload }]);
      },
      ['wrong', long, /^child 2: collection_ids is absent$/],
    ],
    'collection_ids lost on one point': [
      () => job.target.put([changed(job.pointOf(COLLECTED, 'child', 0), { collection_ids: null })]),
      ['wrong', idOf(COLLECTED), /^its points have several collection_ids$/],
    ],
    'collection_ids lost on all points of a record': [
      () => job.target.put(job.pointsOf(COLLECTED).map((point) => changed(point, { collection_ids: null }))),
      ['wrong', idOf(COLLECTED), /^child 0: collection_ids are not those of the record$/],
    ],
    'a job_id that is none': [change({ job_id: 'job-1' }), ['wrong', long, /^child 2: job_id is no UUID$/]],
    'a job_id of no job': [
      change({ job_id: '4be4c1c5-0000-4000-8000-000000000000' }),
      ['wrong', long, /^job_id 4be4c1c5-[-0-9]+ is no job of the ledger$/],
    ],
    'another source': [
      change({ source: 'ferry/other' }),
      ['wrong', long, /^child 2: source is not ours, its id is$/],
      ['missing', long, /^child 2 of those below/],
    ],
    'an id rounded to a double': [
      change({ summary_id: BigInt(rounded) }, { forge: true }),
      ['extra', rounded, /^child 2 of a record that the table lacks$/],
      ['missing', long, /^child 2 of those below/],
    ],
    'an id as text': [
      change({ summary_id: long }, { forge: true }),
      ['wrong', '?', /^point [-0-9a-f]+ has no integer summary_id$/],
    ],
    'a foreign point touched': [
      () => job.target.put([{ ...job.foreign(0), payload: { note: 'theirs' } }]),
      ['wrong', 'foreign', /^the points of other sources are not what they were$/],
    ],
    'a foreign point lost': [
      () => job.target.delete([FOREIGN[1]]),
      ['wrong', 'foreign', /^the points of other sources are not what they were$/],
    ],
  };
  for (const [name, [plant, ...found]] of Object.entries(plants)) {
    test(name, async () => {
      await plant();
      try {
        const report = await job.audit();
        assert.equal(report.ok, false);
        for (const one of found) assertFound(report, one);
      } finally {
        await job.restorePoints();
      }
    });
  }

  test('foreign points where none may be', async () => {
    assertFound(await job.audit({ noForeign: true }), [
      'extra',
      'None',
      new RegExp(`^foreign point ${FOREIGN[0]}$`),
    ]);
  });
});

describe('rows that changed after the migration', () => {
  const plants: Record<string, readonly [index: number, plant: () => Promise<unknown>, ...found: Found[]]> = {
    'its content is another, and its points are stale': [
      SHORT,
      () => job.updateRow(SHORT, distinctText('else', 200)),
      ['wrong', idOf(SHORT), /^the text of parent 0 does not occur in the row$/],
      ['wrong', idOf(SHORT), /^child 0: checksum is not that of the row's content$/],
    ],
    'it is longer': [
      SHORT,
      () =>
        job.lab.sql.query(
          "UPDATE ip_summary SET parse_content = CONCAT(parse_content, ' More.') WHERE id = ?",
          [idOf(SHORT)],
        ),
      ['wrong', idOf(SHORT), /^the parents do not cover the row's text exactly$/],
    ],
    'it is empty now': [
      SHORT,
      () => job.updateRow(SHORT, ''),
      ['extra', idOf(SHORT), /^parent 0 of a row without content$/],
    ],
    'it has content now': [
      BLANK,
      () => job.updateRow(BLANK, 'Some words.'),
      ['missing', idOf(BLANK), /^the row has content and no point$/],
    ],
    'it is gone': [
      SHORT,
      () => job.deleteRow(SHORT),
      ['extra', idOf(SHORT), /^parent 0 of a record that the table lacks$/],
    ],
  };
  for (const [name, [index, plant, ...found]] of Object.entries(plants)) {
    test(name, async () => {
      await plant();
      try {
        const report = await job.audit();
        for (const one of found) assertFound(report, one);
      } finally {
        await job.restoreRow(index);
      }
    });
  }
});

test('when all is put back there are no findings again', async () => {
  assert.equal((await job.audit()).ok, true);
});
