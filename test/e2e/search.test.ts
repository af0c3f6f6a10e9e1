import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { CorpusRow } from '../../demo/corpus.ts';
import { loadCorpus } from '../../demo/load.ts';
import type { SearchReport } from '../../src/job/inquiry.ts';
import { Lab } from '../support/lab.ts';
import { questionCorpus, QUESTIONS } from '../support/questions.ts';

const TOP = 3;

let lab: Lab;
let rows: readonly CorpusRow[];
before(async () => {
  rows = questionCorpus();
  lab = await Lab.open({ BATCH_SIZE: '100' });
  const { MYSQL_HOST: host = '', MYSQL_PORT, MYSQL_USER: user = '', MYSQL_DATABASE = '' } = lab.env;
  const password = lab.env['MYSQL_PASSWORD'] ?? '';
  await loadCorpus({ host, port: Number(MYSQL_PORT), user, password, database: MYSQL_DATABASE }, rows);
  await lab.worker();
  const { status, totals } = await lab.migrate();
  assert.deepEqual([status, totals.records, totals.failed], ['completed', rows.length, 0]);
});
after(() => lab?.close());

for (const { text, mode, isRight } of QUESTIONS) {
  test(`${mode}: “${text}” finds its document among the first ${TOP}`, async () => {
    const right = new Set(rows.filter(isRight).map(({ id }) => String(id)));
    assert.ok(right.size > 0, 'the corpus has no such document: the installed packages have changed');
    const found = await lab.ferry('search', text, '--mode', mode, '--limit', String(TOP), '--json');
    assert.equal(found.code, 0, found.stderr);
    const { hits } = JSON.parse(found.stdout) as SearchReport;
    const ranks = hits.map(({ recordId }) => right.has(recordId));
    assert.ok(
      ranks.includes(true),
      `found instead:\n${hits.map((hit) => `${hit.recordId} ${hit.text.slice(0, 200)}`).join('\n')}`,
    );
  });
}
