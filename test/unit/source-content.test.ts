import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Fault, InputError } from '../../src/errors.ts';
import { contentJoin, templateProblem } from '../../src/source/content.ts';
import { tableSettings, tableSpec } from '../../src/source/table-settings.ts';
import { shapeByAudit } from '../support/audit.ts';

const join = (contentColumns: string[], contentTemplate: string | null) =>
  contentJoin({ contentColumns, contentTemplate });

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', ' ', '\t\n', '{a}', '{{', '\\n', 'a'),
);
const cell = fc.option(text);
const isBlank = (value: string | null) => value === null || value.trim() === '';

describe('without a template', () => {
  it('one column is taken as it is, whatever it holds', () => {
    fc.assert(fc.property(cell, (value) => assert.equal(join(['a'], null)([value]), value)));
  });

  it('several are joined by a blank line, unchanged, without NULL and blank ones', () => {
    assert.equal(join(['a', 'b', 'c'], null)([' x ', null, 'y\n']), ' x \n\ny\n');
    assert.equal(join(['a', 'b'], null)(['x', ' ']), 'x');
    assert.equal(join(['a', 'b'], null)(['\u3000', null]), null);
    fc.assert(
      fc.property(fc.array(cell, { minLength: 2, maxLength: 5 }), (values) => {
        const content = join(
          values.map((_, index) => `c${index}`),
          null,
        )(values);
        const filled = values.filter((value) => !isBlank(value));
        assert.equal(content === null, filled.length === 0);
        assert.equal(
          content?.length ?? 0,
          filled.reduce((sum, value) => sum + (value?.length ?? 0), 2 * Math.max(0, filled.length - 1)),
        );
        for (const value of filled) assert.ok(content?.includes(value ?? ''));
      }),
    );
  });
});

describe('a template', () => {
  it('puts every column where it is named, and reads escapes', () => {
    assert.equal(join(['a', 'b'], '{b}\\n\\n{a}')(['A', 'B']), 'B\n\nA');
    assert.equal(join(['a', 'b'], '{{{a}}}\\t{{}}\\\\n{b}')(['A', 'B']), '{A}\t{}\\nB');
    assert.equal(join(['a'], 'Title:\n{A}')(['x']), 'Title:\nx', 'names know no case');
    assert.equal(join(['客户 名', 'b-$'], '{客户 名}/{b-$}')(['x', 'y']), 'x/y');
  });

  it('takes NULL for empty text, and is no content by itself', () => {
    const shaped = join(['a', 'b'], 'A: {a}, B: {b}');
    assert.equal(shaped(['x', null]), 'A: x, B: ');
    assert.equal(shaped([' ', 'x']), 'A:  , B: x');
    for (const nothing of [
      [null, null],
      ['', null],
      [' ', '\n'],
    ])
      assert.equal(shaped(nothing), null);
  });

  it('never reads the columns’ texts as a template', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        if (isBlank(a) && isBlank(b)) return;
        assert.equal(join(['a', 'b'], '<{a}|{b}>')([a, b]), `<${a}|${b}>`);
      }),
    );
  });

  it('can say any fixed words', () => {
    const escaped = (words: string) =>
      words.replaceAll('\\', '\\\\').replaceAll('{', '{{').replaceAll('}', '}}').replaceAll('\n', '\\n');
    fc.assert(
      fc.property(text, text, (before, after) => {
        const template = `${escaped(before)}{a}${escaped(after)}`;
        assert.equal(join(['a'], template)(['x']), `${before}x${after}`);
      }),
    );
  });

  it('is refused unless it mentions each column once and nothing else, and says why', () => {
    const problems: Record<string, RegExp> = {
      '{a}': /does not mention \{b\}/u,
      '{a}{b}{c}': /mentions \{c\}, which MYSQL_CONTENT_COLUMN does not list/u,
      '{a}{b}{A}': /mentions \{A\} more than once/u,
      '{a}{ b}': /mentions \{ b\}/u,
      '{a}{b}{}': /mentions \{\}/u,
      '{a}{b': /a brace that belongs to no/u,
      '{a}{b}}': /a brace that belongs to no/u,
      '{a}{b}\\x': /"\\" before something other/u,
      '{a}{b}\\': /"\\" before something other/u,
      '': /does not mention \{a\}/u,
    };
    for (const [template, problem] of Object.entries(problems)) {
      assert.match(templateProblem(template, ['a', 'b']) ?? '', problem, template);
      assert.throws(() => join(['a', 'b'], template), Fault, template);
    }
    assert.equal(templateProblem('{b}{a}', ['a', 'b']), null);
  });
});

it('the audit, which shares no code with it, makes the same of every case', async () => {
  const columns = ['a', 'Ü b', 'c'];
  const sign = fc.constantFrom('{{', '}}', '\\n', '\\t', '\\\\', ' ', 'x', '字', '{{a}}');
  const template = fc
    .tuple(
      fc.array(fc.array(sign, { maxLength: 4 }), { minLength: 4, maxLength: 4 }),
      fc.shuffledSubarray(columns, { minLength: 3 }),
    )
    .map(([words, order]) =>
      words
        .map((part, index) => part.join('') + (index < 3 ? `{${order[index]?.toUpperCase()}}` : ''))
        .join(''),
    );
  const fitting = fc.string({ unit: 'grapheme', maxLength: 6 });
  const value = fc.option(
    fc.oneof(fitting, fc.constantFrom('', ' \n', '\u3000\ufeff', '\x1f', '{a}', '\\n')),
  );
  const one = fc.record({
    template: fc.option(template),
    texts: fc.array(value, { minLength: 3, maxLength: 3 }),
  });
  const cases = fc.sample(one, { numRuns: 400, seed: 7 }).map((each) => ({ ...each, columns }));
  const theirs = await shapeByAudit(cases);
  assert.ok(theirs.some((text) => text === null) && theirs.some((text) => text?.includes('{')));
  for (const [index, { template: shaped, texts }] of cases.entries())
    assert.equal(join(columns, shaped)(texts), theirs[index], JSON.stringify(cases[index]));
});

describe('settings of the content', () => {
  const spec = (values: Record<string, string>) =>
    tableSpec({ ...tableSettings.parse(values), MYSQL_DATABASE: 'shop' });
  const problems = (values: Record<string, string>) =>
    tableSettings.safeParse(values).error?.issues.map(({ message }) => message) ?? [];

  it('take one column or several', () => {
    assert.deepEqual(spec({ MYSQL_CONTENT_COLUMN: 'body' }).contentColumns, ['body']);
    assert.deepEqual(spec({ MYSQL_CONTENT_COLUMN: ' title, body ,' }).contentColumns, ['title', 'body']);
    assert.match(problems({ MYSQL_CONTENT_COLUMN: ' , ' })[0] ?? '', /expected a column name, or several/u);
    assert.match(problems({ MYSQL_CONTENT_COLUMN: 'a,A' })[0] ?? '', /A is repeated/u);
    assert.match(problems({ MYSQL_CONTENT_COLUMN: 'a,b;c' })[0] ?? '', /"b;c" has characters/u);
  });

  it('hold the template to the columns, naming the setting', () => {
    const template = '{title}\\n\\n{body}';
    const both = { MYSQL_CONTENT_COLUMN: 'title,body', MYSQL_CONTENT_TEMPLATE: template };
    assert.equal(spec(both).contentTemplate, template);
    assert.equal(spec({}).contentTemplate, null);
    assert.match(problems({ MYSQL_CONTENT_TEMPLATE: '{a' })[0] ?? '', /expected a template such as/u);
    assert.throws(
      () => spec({ ...both, MYSQL_CONTENT_COLUMN: 'title' }),
      (error) => error instanceof InputError && /^MYSQL_CONTENT_TEMPLATE: .*\{body\}/u.test(error.message),
    );
  });
});
