import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { it } from 'node:test';
import { jobArgument } from '../../src/cli/job-argument.ts';

it('names that need no quotes have none', () => {
  for (const name of ['ip_summary-to-memos', 'shop.texts-to-notes', '备忘-2026', 'a:b@c']) {
    assert.equal(jobArgument(name), name);
  }
});

it('a shell takes every name back as one argument', () => {
  for (const name of ['a b', "it's", '$HOME', '`id`', 'a;b', '"x"', '*', '~', '#1', '!', 'a\\b', '(x)']) {
    const printed = execFileSync('sh', ['-c', `printf '%s|' ${jobArgument(name)}`], { encoding: 'utf8' });
    assert.equal(printed, `${name}|`);
  }
});

it('what begins like a flag comes after --', () => {
  assert.equal(jobArgument('-x'), '-- -x');
  assert.equal(jobArgument('-a b'), "-- '-a b'");
});
