import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { aligned, excerpt, widthOf } from '../../src/cli/terminal-width.ts';
import { hitList } from '../../src/cli/search-render.ts';
import { Fault, InputError, type FaultCode } from '../../src/errors.ts';
import type { InquiryServices } from '../../src/inquiry/services.ts';
import { checkSearch, MAX_HITS, search } from '../../src/inquiry/search.ts';
import type { Hit, SearchInput } from '../../src/job/inquiry.ts';
import type { ParentHit, SearchHit, SearchQuery } from '../../src/target/target.ts';
import { fakeSpecification } from '../support/specification.ts';

const INPUT: SearchInput = {
  specification: fakeSpecification(),
  text: 'words',
  mode: 'hybrid',
  limit: 3,
  tenant: null,
  parents: false,
};
const HIT: SearchHit = {
  id: 'child',
  score: 0.5,
  recordId: 9_007_199_254_740_993n,
  tenant: 'acme',
  parentIndex: 1,
  chunkIndex: 4,
  text: 'A text.',
  copied: { kind: 'memo', serial: 9_007_199_254_740_993n, draft: null },
};
const COPIED = { kind: 'memo', serial: '9007199254740993', draft: null };

const PARENT: ParentHit = {
  id: 'parent',
  score: 0.5,
  recordId: HIT.recordId,
  tenant: 'acme',
  parentIndex: 1,
  text: 'A text. And more.',
  copied: { kind: 'memo' },
  children: [],
};

const attempt = {
  signal: new AbortController().signal,
  stop: new AbortController().signal,
  patienceMs: 0,
  progressed: () => undefined,
  waiting: () => undefined,
};

/** Services that record what they are asked. */
class Services {
  readonly queries: SearchQuery[] = [];
  readonly embedded: string[] = [];
  collection: string | null = 'memos_v1';
  differences: string[] = [];
  vectorDifferences: string[] = [];
  hits: SearchHit[] = [HIT];
  refusal: FaultCode | null = null;

  get all(): InquiryServices {
    return {
      embedder: {
        embed: async (_model: unknown, texts: readonly string[]) => {
          if (this.refusal !== null) throw new Fault(this.refusal);
          this.embedded.push(...texts);
          return { vectors: texts.map(() => Float32Array.of(1, 0, 0)), tokens: 1 };
        },
      },
      target: {
        find: async () => ({
          collection: this.collection,
          differences: [...this.differences, ...this.vectorDifferences],
          vectorDifferences: this.vectorDifferences,
        }),
        search: async (owner: { collection: string }, query: SearchQuery) => {
          assert.equal(owner.collection, this.collection);
          this.queries.push(query);
          return this.hits;
        },
        searchParents: async () => [{ ...PARENT, children: this.hits }],
      },
    } as unknown as InquiryServices;
  }
}

describe('search', () => {
  it('pays one input, except by words alone', async () => {
    const services = new Services();
    for (const mode of ['hybrid', 'dense', 'sparse'] as const) {
      await search(services.all, { ...INPUT, mode, tenant: 'acme' }, attempt);
    }
    assert.deepEqual(services.embedded, ['words', 'words']);
    assert.deepEqual(
      services.queries.map(({ text, vector, tenant }) => [text, vector?.length ?? null, tenant]),
      [
        ['words', 3, 'acme'],
        [null, 3, 'acme'],
        ['words', null, 'acme'],
      ],
    );
  });

  it('answers in JSON, with exact ids', async () => {
    const services = new Services();
    const report = await search(services.all, INPUT, attempt);
    assert.deepEqual(report, {
      collection: 'memos_v1',
      hits: [{ ...HIT, recordId: '9007199254740993', copied: COPIED, children: [] }],
    });
    const { hits } = await search(services.all, { ...INPUT, parents: true }, attempt);
    assert.deepEqual(
      [hits[0]?.id, hits[0]?.chunkIndex, hits[0]?.children[0]?.chunkIndex],
      ['parent', null, 4],
    );
  });

  it('asks for the copied columns of the job, and cuts them as texts', async () => {
    const services = new Services();
    const table = { ...INPUT.specification.table, payloadColumns: ['kind', 'serial'] };
    const specification = { ...INPUT.specification, table };
    services.hits = [{ ...HIT, copied: { kind: 'x'.repeat(3 * 1024 * 1024) } }];
    const report = await search(services.all, { ...INPUT, specification }, attempt);
    assert.deepEqual(services.queries[0]?.copiedColumns, ['kind', 'serial']);
    assert.ok(Buffer.byteLength(JSON.stringify(report)) < 2 * 1024 * 1024);
  });

  it('names the setting where there is no collection yet', async () => {
    const services = new Services();
    services.collection = null;
    await assert.rejects(search(services.all, INPUT, attempt), (error) => {
      assert.ok(error instanceof InputError);
      return /^QDRANT_COLLECTION_NAME: .*memos/.test(error.message);
    });
    assert.deepEqual(services.embedded, []);
  });

  it('pays nothing for vectors that say nothing in the collection; words still find', async () => {
    const services = new Services();
    services.vectorDifferences = ['dimensions are 3, not 4'];
    await assert.rejects(search(services.all, INPUT, attempt), { code: 'target_incompatible' });
    assert.deepEqual(services.embedded, []);
    assert.equal((await search(services.all, { ...INPUT, mode: 'sparse' }, attempt)).hits.length, 1);
  });

  it('searches where only something else differs: words are looked up with the options of the collection', async () => {
    const services = new Services();
    services.differences = ['BM25 option k is 1.2, expected 2', 'type of payload index type is integer'];
    for (const mode of ['hybrid', 'dense', 'sparse'] as const) {
      assert.equal((await search(services.all, { ...INPUT, mode }, attempt)).hits.length, 1);
    }
  });

  it('a text that the service refuses is bad input', async () => {
    const services = new Services();
    services.refusal = 'embedding_refused';
    await assert.rejects(search(services.all, INPUT, attempt), /^InputError: TEXT: .*--mode sparse/);
    services.refusal = 'embedding_access_denied';
    await assert.rejects(search(services.all, INPUT, attempt), { code: 'embedding_access_denied' });
  });

  it('fits into an answer of Temporal, however long the texts are', async () => {
    const services = new Services();
    services.hits = Array.from({ length: MAX_HITS }, () => ({ ...HIT, text: '😀文'.repeat(20_000) }));
    const report = await search(services.all, { ...INPUT, limit: MAX_HITS }, attempt);
    assert.equal(report.hits.length, MAX_HITS);
    assert.ok(Buffer.byteLength(JSON.stringify(report)) < 2 * 1024 * 1024);
    assert.ok(report.hits.every(({ text }) => text.isWellFormed()));
  });
});

describe('checkSearch', () => {
  it('takes what is in range', () => {
    for (const limit of [1, MAX_HITS]) checkSearch({ ...INPUT, limit });
  });

  it('names everything that is wrong at once', () => {
    const wrong = { ...INPUT, text: ' \n', limit: 0, mode: 'magic' as 'dense' };
    assert.throws(
      () => checkSearch(wrong),
      (error) => error instanceof InputError && error.problems.length === 3,
    );
    for (const limit of [MAX_HITS + 1, 1.5, NaN, -1]) {
      assert.throws(() => checkSearch({ ...INPUT, limit }), /--limit/);
    }
  });
});

describe('what people see of a search', () => {
  const hits = [{ ...HIT, recordId: '7', copied: {}, children: [] }];

  it('score, record, tenant, position and excerpt', () => {
    assert.match(
      hitList({ collection: 'memos_v1', hits }),
      /^1\. .*0\.500.* record 7 {2}tenant acme {2}parent 1, child 4\n {4}A text\.$/,
    );
    const parent = { ...hits[0]!, chunkIndex: null, children: [{ ...hits[0]!, chunkIndex: 2 }, hits[0]!] };
    assert.match(hitList({ collection: 'memos_v1', hits: [parent] }), /parent 1, found by child 2, 4\n/);
    assert.equal(hitList({ collection: 'memos_v1', hits: [] }), 'Nothing found in memos_v1.');
  });

  it('copied columns, unless they are null; no word of tenants where there is none', () => {
    const copied = { kind: 'a\u001b[31m', serial: '9007199254740993', draft: null, rank: 2 };
    const text = hitList({ collection: 'memos_v1', hits: [{ ...hits[0]!, tenant: null, copied }] });
    assert.match(
      text,
      /record 7 {2}parent 1, child 4 {2}kind "a\\u001b\[31m" {2}serial "9007199254740993" {2}rank 2\n/,
    );
    // As a worker of an older release answers.
    const older = { ...hits[0]!, copied: undefined } as unknown as Hit;
    assert.match(hitList({ collection: 'memos_v1', hits: [older] }), /parent 1, child 4\n/);
  });

  it('an excerpt is one line of so many columns, wide characters counted double', () => {
    assert.equal(excerpt('  a\n\tb\u0000\u001b[31m  c ', 20), 'a b [31m c');
    assert.equal(excerpt('海底光缆断了', 8), '海底光缆…');
    assert.equal(excerpt('海底光缆断了', 9), '海底光缆…');
    assert.equal(excerpt('abcdef', 6), 'abcdef');
    assert.equal(widthOf('한글ｆ😀e\u0301'), 9);
  });

  it('columns are aligned by what a terminal shows', () => {
    assert.deepEqual(
      aligned([
        ['海', 'n'],
        ['abc', 10],
        ['', 5],
      ]),
      ['海   n', 'abc  10', '      5'],
    );
  });
});
