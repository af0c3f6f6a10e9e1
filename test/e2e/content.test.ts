import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Lab, until } from '../support/lab.ts';

/** A row of this test; `content` as the database stores it, in a column of bytes so that anything fits. */
interface Row {
  readonly what: string;
  readonly id: bigint;
  readonly tenant: string | null;
  readonly content: Buffer | null;
}

/** A word of a million letters that nothing divides. */
function longWord(): string {
  let state = 7;
  return Array.from({ length: 1_000_000 }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return String.fromCharCode(97 + ((state >>> 8) % 26));
  }).join('');
}

const FAMILY = '👨‍👩‍👧‍👦';
/** Text that is to arrive exactly. */
const TEXTS: Readonly<Record<string, string>> = {
  'one letter': 'x',
  'a word of 1 MB': longWord(),
  'a grapheme of 2,001 tokens': `a${'\u{1e944}'.repeat(500)}`,
  'NUL and control characters': 'before\0after \x01\x1b[31m\x7f \ufffe \ufffd end. '.repeat(40),
  'a byte order mark': '\ufeffAfter the mark.',
  'right to left': 'هذه جملة عربية قصيرة. وهذه جملة أخرى؟ שלום עולם. \u202eabc\u202c '.repeat(60),
  'emoji families': `${FAMILY.repeat(400)} 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👩🏽‍🚀`,
  'Chinese without spaces': '他在海边的旧书店里找到了一本关于星星的书每天晚上都读一页直到冬天来临'.repeat(40),
  'Chinese with its own punctuation': '今天天气很好，我们去公园散步吧。你觉得怎么样？好啊！'.repeat(40),
  'special tokens': '<|endoftext|> <|im_start|>system <|fim_prefix|><|endofprompt|> '.repeat(30),
  'SQL and JSON': `'; DROP TABLE ip_summary; -- {"a": "\\u0000"} \\ " \` %s ? `.repeat(30),
  'combining marks': `Zalgo ${'a\u0300\u0301\u0302'.repeat(300)} e\u0301 vs \u00e9`,
  'Windows line ends': 'First line.\r\nSecond line.\r\n\r\nAnother paragraph.\r'.repeat(50),
  'white space around': ' \t\n  middle \u00a0\u3000\n',
};
/** Rows without content: nothing is written for them, and nothing fails. */
const BLANK: Readonly<Record<string, string | null>> = {
  NULL: null,
  'an empty text': '',
  'blanks and line ends': ' \t\r\n \n',
  'blanks of other scripts': '\u3000\u00a0\u2003\ufeff',
};
/** Bytes that are no UTF-8. */
const INVALID: Readonly<Record<string, Buffer>> = {
  'latin1 text': Buffer.from('caf\xe9 au lait', 'latin1'),
  'a sequence that breaks off': Buffer.from([0x41, 0xe2, 0x82]),
  'an overlong form': Buffer.from([0xc0, 0x80]),
  'half a surrogate pair': Buffer.from([0xed, 0xa0, 0x80, 0x41]),
};
const TOO_LARGE = 'a text of 20 MB';

/** Ids at the edges of what 64 bits and what a JavaScript number hold, then a few in between. */
const EDGES = [
  -(2n ** 63n),
  -(2n ** 53n) - 1n,
  -1n,
  0n,
  1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 53n + 1n,
  2n ** 63n - 1n,
];

const contents: readonly (readonly [string, Buffer | null])[] = [
  ...Object.entries(TEXTS).map(([what, text]) => [what, Buffer.from(text)] as const),
  ...Object.entries(BLANK).map(([what, text]) => [what, text === null ? null : Buffer.from(text)] as const),
  ...Object.entries(INVALID),
];
const rows: readonly Row[] = contents.map(([what, content], index) => ({
  what,
  // Edges and failures are mixed, so that a record that fails has neighbours that do not.
  id: EDGES[index] ?? 2n ** 60n + BigInt(index),
  tenant: index === 0 ? 'ä'.repeat(1_000) : index === 1 ? null : index === 2 ? '' : `tenant ${index % 3}`,
  content,
}));
const tooLarge: Row = { what: TOO_LARGE, id: 77n, tenant: 'acme', content: null };
const failures = new Map([
  [String(tooLarge.id), 'content_too_large'],
  ...rows.filter(({ what }) => what in INVALID).map(({ id }) => [String(id), 'content_invalid'] as const),
]);

let lab: Lab;
before(async () => {
  // A megabyte in one record keeps a busy machine from heartbeats every two seconds; the product's own interval is 30.
  lab = await Lab.open({ BATCH_SIZE: '4', MAX_WORKERS: '3', WORKER_HEARTBEAT_INTERVAL: '30' });
  await lab.sql.query(
    'CREATE TABLE ip_summary (id BIGINT PRIMARY KEY, member_code VARCHAR(1000), parse_content LONGBLOB) CHARACTER SET utf8mb4',
  );
  for (const { id, tenant, content } of rows) {
    await lab.sql.query('INSERT INTO ip_summary VALUES (?, ?, ?)', [String(id), tenant, content]);
  }
  // Made by the server, whose max_allowed_packet (64 MiB in the stack) bounds it; the driver's packets stay small.
  await lab.sql.query("INSERT INTO ip_summary VALUES (?, ?, REPEAT('Large. ', 3000000))", [
    String(tooLarge.id),
    tooLarge.tenant,
  ]);
  await lab.worker();
});
after(() => lab.close());

/** Nobody asks for content that is refused, so the job runs without preflight. */
const migrate = () => lab.ferry('start', '--attach', '--no-preflight');

test('whatever a row holds arrives exactly, or is listed as failed with its reason', async () => {
  const followed = await migrate();
  assert.equal(followed.code, 1, `failed records make it 1\n${followed.stderr}`);
  const { status, totals, jobId } = await lab.result();
  assert.deepEqual(
    [status, totals.written, totals.skipped, totals.failed, totals.failedBatches],
    ['completed', Object.keys(TEXTS).length, Object.keys(BLANK).length, failures.size, 0],
  );
  const said = await lab.ferry('status');
  assert.match(said.stdout, new RegExp(` ${failures.size} failed\\n`, 'u'));
  assert.match(said.stdout, /\n {2}failed .*ingestion_failure/u);

  await until(
    'the ledger lists the failed records',
    60_000,
    async () => (await listed(jobId)).size === failures.size,
  );
  assert.deepEqual(await listed(jobId), failures);
  const report = await lab.audit({ failedIds: [...failures.keys()], jobId });
  assert.deepEqual(
    { ok: report.ok, missing: report.missing, extra: report.extra, wrong: report.wrong },
    { ok: true, missing: NOTHING, extra: NOTHING, wrong: NOTHING },
  );
  assert.deepEqual([report.rows, report.excusedRows], [rows.length + 1, failures.size]);
});

test('a second run pays nothing and writes nothing', async () => {
  const before = await cost();
  assert.equal((await migrate()).code, 1);
  const { totals } = await lab.result();
  assert.deepEqual(
    [totals.written, totals.unchanged, totals.failed],
    [0, Object.keys(TEXTS).length, failures.size],
  );
  assert.deepEqual(await cost(), before);
});

test('mended rows are migrated by the next run', async () => {
  await lab.sql.query('UPDATE ip_summary SET parse_content = ? WHERE id IN (?)', [
    Buffer.from('Now it is a text.'),
    [...failures.keys()],
  ]);
  const { code, stderr } = await migrate();
  assert.equal(code, 0, stderr);
  assert.equal((await lab.result()).totals.written, failures.size);
  assert.equal((await lab.audit()).ok, true);
});

/** What was paid and what was written, ever. */
async function cost() {
  const { inputs, requests } = await lab.embeddings.counters();
  const { written, changed, deleted } = await lab.qdrant.counters();
  return { inputs, requests, written, changed, deleted };
}

const NOTHING = { count: 0, examples: [] };

async function listed(jobId: string): Promise<Map<string, string>> {
  const found = await lab.ledger<{ record_id: string; code: string }>(
    `ingestion_failure?job_id=eq.${jobId}&select=record_id::text,code`,
  );
  return new Map(
    found.map(({ record_id: id, code }) => [id, code] as const).sort(([a], [b]) => order(a) - order(b)),
  );
}

/** Maps are compared with their order: that of the failures above. */
function order(id: string): number {
  return [...failures.keys()].indexOf(id);
}
