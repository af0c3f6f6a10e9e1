import assert from 'node:assert/strict';
import { test } from 'node:test';

import { corpus } from '../../demo/corpus.ts';

const rows = corpus();
const texts = rows.flatMap(({ parse_content: text }) => (text?.trim() ? [text] : []));

test('the corpus is the same at each call', () => {
  assert.deepEqual(corpus(), rows);
});

test('ids ascend beyond 2^53, some next to each other', () => {
  assert.equal(rows.length, 3_000);
  assert.ok(rows[0]!.id > 2n ** 53n);
  const gaps = rows.slice(1).map(({ id }, at) => id - rows[at]!.id);
  assert.ok(gaps.every((gap) => gap > 0n));
  assert.ok(gaps.filter((gap) => gap === 1n).length > 100);
  assert.ok(rows.at(-1)!.id < 2n ** 63n);
});

test('texts are real, distinct, and give about three children each', () => {
  assert.equal(new Set(texts).size, texts.length);
  const lengths = texts.map((text) => text.length).filter((length) => length < 100_000);
  const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  assert.ok(mean > 1_800 && mean < 2_800, `mean ${mean}`);
  assert.ok(new Set(rows.map((row) => row.member_code)).size > 100);
});

test('special rows are among them', () => {
  const count = (matches: (text: string | null) => boolean): number =>
    rows.filter((row) => matches(row.parse_content)).length;
  assert.equal(
    count((text) => text === null),
    3,
  );
  assert.equal(
    count((text) => text === ''),
    3,
  );
  assert.equal(
    count((text) => text !== null && text !== '' && text.trim() === ''),
    3,
  );
  assert.equal(
    count((text) => (text?.length ?? 0) > 1_000_000),
    1,
  );
  assert.ok(
    count((text) => /[\u4e00-\u9fff]{40}/.test(text?.replaceAll(/[，。、：；“”（）]/g, '') ?? '')) >= 25,
  );
  assert.ok(count((text) => /\p{Script=Hiragana}/u.test(text ?? '')) >= 4);
  assert.ok(count((text) => /\p{Script=Thai}/u.test(text ?? '')) >= 3);
  assert.ok(count((text) => text?.includes('\u200d') ?? false) >= 4);
  assert.ok(count((text) => text?.includes('\0') ?? false) === 0);
});

test('small corpora have special rows too, huge demands are refused', () => {
  const small = corpus({ count: 40 });
  assert.equal(small.length, 40);
  assert.ok(small.some((row) => row.parse_content === null));
  assert.throws(() => corpus({ count: 1_000_000 }), RangeError);
});
