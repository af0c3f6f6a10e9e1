import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { remedy } from '../../src/cli/remedy.ts';
import { FAULTS } from '../../src/errors.ts';

describe('remedy', () => {
  const halting = Object.entries(FAULTS).filter(([, { kind }]) => kind === 'halting');

  for (const [code] of halting) {
    it(`${code}: names the commands, with the job's name`, () => {
      assert.match(remedy(code, 'my job'), /`ferry (?:resume|cancel) 'my job'`.*\.$/u);
    });
  }

  it('starts again what is fixed at the start, restarts workers for what is theirs', () => {
    assert.doesNotMatch(remedy('target_incompatible', 'x'), /resume/u);
    assert.match(remedy('embedding_access_denied', 'x'), /restart them, then `ferry resume x`\.$/u);
    assert.match(remedy('source_table_missing', 'x'), /`ferry resume x`; or, .*`ferry cancel x`/u);
  });

  it('does not fail at a code of a newer release', () => {
    assert.match(remedy('source_asleep', 'x'), /`ferry resume x`/u);
  });
});
