import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { findingLines, preflightTable } from '../../src/cli/preflight-render.ts';
import { CHECK_IDS } from '../../src/inquiry/preflight-check.ts';
import { World } from '../support/preflight-world.ts';

describe('the table of checks', () => {
  it('shows services, signs, advice, sizes and the sum', async () => {
    const world = new World();
    world.source.examined = { canWrite: true };
    world.target.examined = { canWrite: false };
    // Coloured where CI is set.
    const text = stripVTControlCharacters(preflightTable(await world.report()));
    assert.match(text, /^source\n {2}✓ server/u);
    assert.match(text, /! permissions +The account may write.*\n +-> A read-only account/u);
    assert.match(text, /✗ permissions +The key may not write/u);
    assert.match(text, /sizes of 20 contents\n +16 B to 32 B +20 +#{40}\n/u);
    assert.match(
      text,
      /\d+ checks: \d+ fine, 1 warning, 1 problem\n1 problem: target\.permissions; mend this first\.$/u,
    );
  });

  it('says an advice once, after the last check that has it, and names every problem at the end', () => {
    const advice = 'Name another collection.';
    const differing = ['size', 'distance'].map((message) => ({
      id: 'target.schema',
      status: 'problem' as const,
      message,
      advice,
    }));
    const columns = { ...differing[0]!, id: 'source.columns', message: 'none' };
    const checks = [columns, ...differing];
    const text = stripVTControlCharacters(preflightTable({ checks, sizes: [], sampled: 0 }));
    assert.equal(text.split(advice).length - 1, 2);
    assert.match(text, /✗ schema +size\n +✗ schema +distance\n +-> Name another/u);
    assert.match(text, /\n3 problems: source\.columns, target\.schema; mend these first\.$/u);
    assert.deepEqual(findingLines(checks).map(stripVTControlCharacters), [
      `✗ source.columns: none ${advice}`,
      '✗ target.schema: size',
      `✗ target.schema: distance ${advice}`,
    ]);
  });

  it('has a row in docs/preflight.md for each check, in order, and no other', () => {
    const doc = readFileSync(join(import.meta.dirname, '../../docs/preflight.md'), 'utf8');
    const ids = [...doc.matchAll(/^\| `([\w.]+)` \|/gmu)].map(([, id]) => id);
    assert.deepEqual(ids, [...CHECK_IDS]);
  });
});
