import assert from 'node:assert/strict';
import { test } from 'node:test';

import { CHINESE, EMOJI, JAPANESE, THAI } from '../../demo/multilingual.ts';
import { embed } from '../../src/stack/embeddings/feature-hashing.ts';
import { type AuditReport, embedByAudit, formatAudit, runAuditSelfTests } from '../support/audit.ts';

test('the audit finds each kind of damage that is planted', { timeout: 60_000 }, async () => {
  assert.match(await runAuditSelfTests(), /Ran \d\d+ tests[\s\S]*OK(?! \(skipped)/);
});

test('the audit and the offline server embed alike, bit for bit', async () => {
  const odd = [
    '...',
    '\ud800',
    'a\udc00\ud83d',
    '\ud83d\ude42\ud83d',
    'Ab1é-数据x',
    '\0 \x7f\x80',
    'İ\u212a K',
  ];
  const texts = [...odd, ...EMOJI, ...CHINESE, ...JAPANESE, ...THAI];
  for (const dimensions of [7, 1536]) {
    const theirs = await embedByAudit(texts, dimensions);
    for (const [at, text] of texts.entries()) {
      assert.deepEqual(theirs[at], Array.from(embed(text, dimensions)), JSON.stringify(text.slice(0, 20)));
    }
  }
});

test('the report says what is proven and what is not', () => {
  const none = { count: 0, examples: [] };
  const counts = { rows: 3000, rowsWithContent: 2990, excusedRows: 0, points: 4, parents: 1, children: 3 };
  const report: AuditReport = {
    ...counts,
    ok: true,
    foreignPoints: 0,
    foreignDigest: '',
    ledger: 'not asked for',
    seconds: 1.25,
    missing: none,
    extra: none,
    wrong: none,
  };
  assert.match(formatAudit(report), /rows +3,000 {2}2,990 with content\n[\s\S]*\bPROVEN/);
  const examples = [{ record: '1745000000000002683', reason: 'child 1: text has 300 tokens, more than 256' }];
  const damaged = { ...report, ok: false, wrong: { count: 1, examples } };
  assert.match(formatAudit(damaged), /wrong: record 1745000000000002683: child 1[\s\S]*NOT PROVEN/);
});
