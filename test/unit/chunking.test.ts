import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encode } from 'gpt-tokenizer/encoding/cl100k_base';
import { chunk, CHUNKER_VERSION, DEFAULT_CHUNKING, type Parent } from '../../src/chunking/chunker.ts';
import { countTokens } from '../../src/chunking/tokens.ts';

const TINY = { parentTokens: 16, childTokens: 8, overlapTokens: 2 };
const SMALL = { parentTokens: 64, childTokens: 32, overlapTokens: 8 };

/** The tokeniser that the limits are stated in, independent of our own count. Quadratic: only for short texts. */
function oracle(text: string): number {
  return encode(text, { allowedSpecial: new Set(), disallowedSpecial: new Set() }).length;
}

const withoutSpace = (text: string) => text.replace(/\s+/g, '');
const texts = (parents: readonly Parent[]) => parents.map((parent) => parent.text);
const children = (parents: readonly Parent[]) => parents.flatMap((parent) => parent.children);

/** Checks all that `chunk` promises of its output. `count` is exact. */
function assertChunks(
  content: string,
  parents: readonly Parent[],
  options = DEFAULT_CHUNKING,
  count = oracle,
) {
  assert.equal(withoutSpace(texts(parents).join('')), withoutSpace(content), 'parents cover the content');
  let at = 0;
  for (const { text, children } of parents) {
    assert.equal(text, text.trim());
    assert.notEqual(text, '');
    assert.ok(count(text) <= options.parentTokens, `parent of ${count(text)} tokens`);
    const start = content.indexOf(text, at);
    assert.ok(start >= at && content.slice(at, start).trim() === '', 'parents are substrings in order');
    at = start + text.length;
    assertChildren(text, children, options, count);
    if (content.isWellFormed()) assert.ok([text, ...children].every((part) => part.isWellFormed()));
  }
}

function assertChildren(parent: string, children: readonly string[], options: typeof TINY, count = oracle) {
  assert.ok(children.length > 0);
  // A text may occur twice, so positions are found by trying every place of a child that keeps the promise.
  let places = [{ start: -1, end: 0 }];
  for (const child of children) {
    assert.equal(child, child.trim());
    assert.notEqual(child, '');
    assert.ok(count(child) <= options.childTokens, `child of ${count(child)} tokens`);
    const next = new Map<number, { start: number; end: number }>();
    for (const { start, end } of places) {
      const gap = /^\s*/.exec(parent.slice(end))![0].length;
      for (let at = parent.indexOf(child, start + 1); at >= 0 && at <= end + gap;) {
        const isFurther = at + child.length > end;
        const shared = at < end ? count(parent.slice(at, end)) : 0;
        if (isFurther && shared <= options.overlapTokens) next.set(at, { start: at, end: at + child.length });
        at = parent.indexOf(child, at + 1);
      }
    }
    places = [...next.values()];
    assert.ok(places.length > 0, `child ${JSON.stringify(child)} goes on where the one before it ended`);
  }
  assert.ok(
    places.some(({ end }) => end === parent.length),
    'children cover the parent',
  );
}

const fragment = fc.constantFrom(
  ...[
    'a',
    'word',
    'Dr.',
    '. ',
    '\n',
    '\r\n',
    '\n\n',
    ' ',
    '   ',
    '\t',
    '\u00a0',
    '\ufeff',
    '\u3000',
    '\0',
    '\u2029',
  ],
  ...[
    '。',
    '，',
    '中文',
    '数据库',
    '東京',
    'です',
    'ไทย',
    'ภาษา',
    'العربية',
    'हिन्दी',
    '한국어',
    '12345',
    "it's",
  ],
  ...['👨‍👩‍👧‍👦', '🇩🇪', '😀', 'e\u0301\u0323', '\u0301', '\u200d', '<|endoftext|>', '====', '!?', '"', 'A. B.'],
);
const prose = fc.array(fragment, { maxLength: 120 }).map((parts) => parts.join(''));
const run = fc.tuple(fragment, fc.integer({ min: 1, max: 400 })).map(([text, n]) => text.repeat(n));
const units = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 })
  .map((codes) => String.fromCharCode(...codes));
const content = fc.oneof(
  prose,
  run,
  fc.array(run, { maxLength: 4 }).map((runs) => runs.join('')),
  units,
);
const unicode = fc.string({ unit: 'binary', maxLength: 200 });

const ENGLISH = `The ferry leaves at dawn.

A migration reads rows from one database and writes points to another. Dr. Smith, who ran the first one, kept a
diary of every failure. It was a long diary. "We lost nothing," she wrote, "because we could always ask again." The
rest of the crew slept.

In the second week the network went away for 3.5 hours. Nobody noticed! Was that luck? It was design.`;

const CHINESE =
  '今天天气很好，我们一起去公园散步。公园里有很多人，有的在跑步，有的在下棋！你喜欢什么运动呢？' +
  '他说：“我喜欢游泳。”然后我们去了图书馆，借了三本书回家阅读。数据库迁移需要非常小心，因为任何错误都可能导致数据丢失。';

describe('counting tokens', () => {
  it('equals gpt-tokenizer for any text', () => {
    fc.assert(
      fc.property(fc.oneof(content, unicode), (text) => {
        assert.equal(countTokens(text), oracle(text));
      }),
      { numRuns: 1000 },
    );
  });

  it('takes special tokens as text, and control characters and lone surrogates as they are', () => {
    for (const text of ['<|endoftext|>', 'a\0b\x07', '\ud800', 'x\udc00y', '\ufeff', '\ufeffusing']) {
      assert.equal(countTokens(text), oracle(text));
    }
  });

  it('is fast for long runs, where gpt-tokenizer takes minutes or overflows the stack', () => {
    const started = performance.now();
    assert.equal(countTokens('a'.repeat(1 << 20)), 131_072);
    assert.ok(countTokens('中'.repeat(300_000)) >= 300_000);
    assert.ok(countTokens(' '.repeat(1 << 20)) > 0);
    assert.ok(performance.now() - started < 6000);
  });
});

describe('chunk', () => {
  it('covers any text in order within the limits', async () => {
    for (const options of [TINY, SMALL, { parentTokens: 4, childTokens: 4, overlapTokens: 3 }]) {
      await fc.assert(
        fc.asyncProperty(fc.oneof(content, unicode), async (text) => {
          assertChunks(text, await chunk(text, options), options);
        }),
        { numRuns: 250 },
      );
    }
  });

  it('keeps the limits for any sizes', async () => {
    const sizes = fc
      .tuple(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 0, max: 60 }), fc.nat())
      .map(([child, more, n]) => ({
        parentTokens: child + more,
        childTokens: child,
        overlapTokens: n % child,
      }));
    await fc.assert(
      fc.asyncProperty(content, sizes, async (text, options) => {
        assertChunks(text, await chunk(text, options), options);
      }),
      { numRuns: 250 },
    );
  });

  it('gives the same chunks again, whatever the time between yields', async () => {
    await fc.assert(
      fc.asyncProperty(content, async (text) => {
        const first = await chunk(text, SMALL);
        assert.deepEqual(await chunk(text, SMALL, async () => {}), first);
      }),
      { numRuns: 50 },
    );
  });

  it('gives the chunks of version 1', async () => {
    // When this fails the output has changed: raise CHUNKER_VERSION, or stored checksums lie.
    assert.equal(CHUNKER_VERSION, 1);
    assert.deepEqual(children(await chunk('One two. Three four five six. Seven eight nine ten.', TINY)), [
      'One two. Three four five six.',
      'six. Seven eight nine ten.',
    ]);
    assert.deepEqual(
      texts(await chunk(ENGLISH, SMALL)).map((text) => [text.slice(0, 12), text.length]),
      [
        ['The ferry le', 250],
        ['The\nrest of ', 130],
      ],
    );
  });

  it('has nothing for blank text', async () => {
    for (const blank of ['', ' ', '\n\r\n\t', '\u00a0\ufeff\u3000', ' '.repeat(5_000_000)]) {
      assert.deepEqual(await chunk(blank, DEFAULT_CHUNKING), []);
    }
  });

  it('leaves a short text whole', async () => {
    assert.deepEqual(await chunk('  Hello world. \n', DEFAULT_CHUNKING), [
      { text: 'Hello world.', children: ['Hello world.'] },
    ]);
  });

  it('refuses sizes that cannot be met', async () => {
    for (const options of [
      { parentTokens: 3, childTokens: 3, overlapTokens: 0 },
      { parentTokens: 8, childTokens: 16, overlapTokens: 0 },
      { parentTokens: 16, childTokens: 8, overlapTokens: 8 },
      { parentTokens: 16.5, childTokens: 8, overlapTokens: 1 },
      { parentTokens: NaN, childTokens: 8, overlapTokens: 1 },
    ]) {
      await assert.rejects(chunk('text', options), RangeError);
    }
  });
});

describe('where it cuts', () => {
  it('cuts English at paragraphs, then at sentences', async () => {
    const options = { ...SMALL, parentTokens: 80 };
    const parents = await chunk(ENGLISH, options);
    assertChunks(ENGLISH, parents, options);
    assert.deepEqual(
      texts(parents).map((text) => text.slice(0, 18)),
      ['The ferry leaves a', 'In the second week'],
    );
    for (const child of children(parents)) assert.match(child, /[.!?"]$/);
  });

  it('does not end a sentence at an abbreviation', async () => {
    const text =
      'We all went there together on that day. He saw Dr. Smith and Mr. J. Brown at the old harbour.';
    const [first] = await chunk(text, TINY);
    assert.equal(first?.text, 'We all went there together on that day.');
  });

  it('takes the line breaks of wrapped text for spaces, other ones for ends', async () => {
    const wrapped =
      'One very long sentence is in this line. Another is\nwrapped here and goes on for a while longer.';
    assert.equal((await chunk(wrapped, TINY))[0]?.text, 'One very long sentence is in this line.');
    const list = '- alpha beta gamma\n- delta epsilon zeta\n- eta theta iota\n- kappa lambda mu';
    for (const text of texts(await chunk(list, TINY))) assert.match(text, /^- .* (gamma|zeta|iota|mu)$/s);
  });

  it('cuts Chinese without spaces at its full stops', async () => {
    const parents = await chunk(CHINESE, SMALL);
    assertChunks(CHINESE, parents, SMALL);
    assert.ok(parents.length > 1);
    assert.match(parents[0]!.text, /[。！？”]$/);
    assert.ok(texts(parents).every((text) => !/^[，。！？”]/.test(text)));
  });

  it('cuts Chinese and Japanese without punctuation between words', async () => {
    const chinese = '数据库迁移需要非常小心因为任何错误都可能导致数据丢失'.repeat(3);
    const words = new Set(
      [...new Intl.Segmenter('zh', { granularity: 'word' }).segment(chinese)].map((s) => s.index),
    );
    let at = 0;
    for (const text of texts(await chunk(chinese, TINY))) {
      assert.ok(words.has(at), `a word begins at ${at}`);
      at += text.length;
    }
    const japanese =
      '吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた。';
    const parents = await chunk(japanese, SMALL);
    assertChunks(japanese, parents, SMALL);
    assert.ok(texts(parents).every((text) => text.endsWith('。')));
  });

  it('cuts Thai at spaces or between words', async () => {
    const thai = 'ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน หรือวรรณยุกต์เช่นเดียวกับภาษาจีน และออกเสียงแยกคำต่อคำ';
    const parents = await chunk(thai, SMALL);
    assertChunks(thai, parents, SMALL);
    assert.equal(parents[0]?.text, thai.split(' ')[0]);
  });

  it('cuts Arabic at its sentences', async () => {
    const arabic =
      'اللغة العربية هي أكثر اللغات السامية تحدثا. يتحدثها أكثر من 467 مليون نسمة. هل تعرفها؟ نعم أعرفها جيدا.';
    const parents = await chunk(arabic, SMALL);
    assertChunks(arabic, parents, SMALL);
    assert.ok(texts(parents).every((text) => /[.؟]$/.test(text)));
  });

  it('keeps emoji families whole', async () => {
    const family = '👨‍👩‍👧‍👦';
    for (const options of [SMALL, DEFAULT_CHUNKING]) {
      const text = family.repeat(300);
      const parents = await chunk(text, options);
      assertChunks(text, parents, options);
      for (const part of [...texts(parents), ...children(parents)]) {
        assert.equal(part.replaceAll(family, ''), '');
      }
    }
  });

  it('cuts a grapheme of 2,001 tokens at code points', async () => {
    const grapheme = 'a' + '\u{1e944}'.repeat(500);
    assert.equal(oracle(grapheme), 2001);
    assert.equal([...new Intl.Segmenter('en').segment(grapheme)].length, 1);
    const parents = await chunk(grapheme, DEFAULT_CHUNKING);
    assertChunks(grapheme, parents);
    assert.equal(parents.length, 2);
  });

  it('cuts one word of a megabyte', async () => {
    let state = 7;
    const letters = Array.from({ length: 1_000_000 }, () => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return String.fromCharCode(97 + ((state >>> 8) % 26));
    });
    const word = letters.join('');
    const parents = await chunk(word, DEFAULT_CHUNKING);
    assert.equal(texts(parents).join(''), word);
    for (const text of [...texts(parents), ...children(parents)].slice(0, 20))
      assert.ok(oracle(text) <= 1024);
    assertChunks(word, parents, DEFAULT_CHUNKING, countTokens);
  });

  it('knows CRLF, keeps NUL and special tokens', async () => {
    const lines =
      'First paragraph is over here.\r\n\r\nSecond paragraph it is.\r\nAnd a line of it, so long.\r\n\r\nThird one.';
    assert.deepEqual(texts(await chunk(lines, TINY)), [
      'First paragraph is over here.',
      'Second paragraph it is.\r\nAnd a line of it, so long.',
      'Third one.',
    ]);
    const odd = 'a\0b <|endoftext|> \x07\x1b[0m \ufffe '.repeat(30);
    assertChunks(odd, await chunk(odd, SMALL), SMALL);
  });

  it('begins no child with a part of a blank line', async () => {
    const text = 'Some words stand here.\n\n\n\nAnd some more of them.\n\n\n\n'.repeat(20).trim();
    const options = { ...SMALL, overlapTokens: 16 };
    assertChunks(text, await chunk(text, options), options);
  });

  it('overlaps children where there are words', async () => {
    const text = Array.from({ length: 900 }, (_, i) => `word${i}`).join(' ');
    for (const { children } of await chunk(text, DEFAULT_CHUNKING)) {
      for (const [i, child] of children.slice(1).entries()) {
        const first = child.split(' ', 1)[0]!;
        const shared = children[i]!.slice(children[i]!.indexOf(first));
        assert.ok(child.startsWith(shared));
        assert.ok(oracle(shared) > 24 && oracle(shared) <= 32, `${oracle(shared)} tokens`);
      }
    }
  });
});

describe('speed', () => {
  it('lets timers run during hostile input', async () => {
    const hostile = [
      'a'.repeat(1_000_000),
      '中'.repeat(300_000),
      '👨‍👩‍👧‍👦'.repeat(20_000),
      ' '.repeat(1_000_000),
      '\n'.repeat(1_000_000),
      'a' + '\u0301'.repeat(200_000),
      '='.repeat(500_000),
      ENGLISH.repeat(1000),
    ].join('\n\n');
    let widest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      widest = Math.max(widest, performance.now() - last);
      last = performance.now();
    }, 20);
    const started = performance.now();
    const parents = await chunk(hostile, DEFAULT_CHUNKING);
    const seconds = (performance.now() - started) / 1000;
    widest = Math.max(widest, performance.now() - last);
    clearInterval(timer);
    assert.equal(withoutSpace(texts(parents).join('')), withoutSpace(hostile));
    assert.ok(widest < 500, `timers waited ${widest.toFixed(0)} ms`);
    assert.ok(seconds < 30, `took ${seconds.toFixed(1)} s`);
  });

  it('yields at least every 64 KiB', async () => {
    let yields = 0;
    const text = ENGLISH.repeat(3000);
    await chunk(text, DEFAULT_CHUNKING, async () => {
      yields++;
    });
    assert.ok(yields >= text.length / 65_536);
  });
});
