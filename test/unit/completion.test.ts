import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { serviceNames } from '../../src/stack/service.ts';

const CLI = join(import.meta.dirname, '../../src/cli.ts');
const SHELLS = ['bash', 'zsh', 'fish'] as const;
const dir = mkdtempSync(join(tmpdir(), 'ferry-completion-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const scriptOf = (shell: string): string => join(dir, `ferry.${shell}`);
const ferry = (...args: string[]): string =>
  execFileSync(process.execPath, [CLI, ...args], { cwd: dir, encoding: 'utf8' });
const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

before(() => {
  for (const shell of SHELLS) writeFileSync(scriptOf(shell), ferry('completion', shell));
});

/** What bash would offer at the end of these words. */
function offered(...words: string[]): string[] {
  const script = `source "$1"; shift; COMP_WORDS=(ferry "$@"); COMP_CWORD=$#; _ferry 2>/dev/null
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const args = ['--norc', '-c', script, 'bash', scriptOf('bash'), ...words];
  return execFileSync('bash', args, { encoding: 'utf8' }).split('\n').filter(Boolean);
}

describe('ferry completion bash', () => {
  it('offers every command and every flag that --help lists', () => {
    for (const path of [[], ['start'], ['stack'], ['stack', 'up']]) {
      const help = ferry(...path, '--help');
      const commands = [...(help.split('\nCommands:\n')[1] ?? '').matchAll(/^ {2}([a-z]+)\b/gmu)];
      const flags = [...help.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gmu)];
      const expected = [...commands, ...flags]
        .map(([, word]) => word ?? '')
        .filter((word) => word !== 'help');
      assert.ok(expected.length > 2, help);
      assert.deepEqual(offered(...path, '').toSorted(), [...expected, '-h'].toSorted());
    }
  });

  it('offers what begins with the word at the cursor', () => {
    assert.deepEqual(offered('comp'), ['completion']);
    assert.deepEqual(offered('start', '--con'), ['--concurrency']);
    assert.deepEqual(offered('stack', 'd'), ['down']);
  });

  it('offers the values of flags and arguments that have a choice, of lists again and again', () => {
    assert.deepEqual(offered('stack', 'up', '--service', ''), [...serviceNames]);
    assert.deepEqual(offered('stack', 'up', '--service', 'mariadb', 'q'), ['qdrant']);
    assert.deepEqual(offered('completion', ''), [...SHELLS, '-h', '--help']);
    assert.ok(offered('stack', 'up', '--service', 'mariadb', '--').includes('--port'));
    assert.deepEqual(offered('search', 'text', '--mode', ''), ['hybrid', 'dense', 'sparse']);
  });

  it('leaves the value of other flags to the shell, and goes on after it', () => {
    assert.deepEqual(offered('start', '--limit', ''), []);
    assert.deepEqual(offered('start', '--limit', '5', '--pru'), ['--prune']);
    // A value that is the name of a command is no command.
    assert.ok(offered('start', '--name', 'stack', '').includes('--attach'));
  });
});

describe('the scripts', () => {
  for (const shell of SHELLS) {
    it(`${shell} takes it`, (t) => {
      if (!has(shell)) return t.skip(`${shell} is not installed`);
      const { status, stderr } = spawnSync(shell, ['-n', scriptOf(shell)], { encoding: 'utf8' });
      assert.deepEqual([status, stderr], [0, '']);
    });
  }

  it('zsh finds the same', (t) => {
    if (!has('zsh')) return t.skip('zsh is not installed');
    const script =
      'compdef() {}; source "$1"; shift; at="" flag="" found="" files="" cur=""; _ferry_find "$@"; print -r -- "$found$files"';
    const found = (...words: string[]): string =>
      execFileSync('zsh', ['-f', '-c', script, 'zsh', scriptOf('zsh'), ...words], {
        encoding: 'utf8',
      }).trim();
    assert.equal(found('stack', 'up', '--service', 'mariadb'), serviceNames.join(' '));
    assert.equal(found('start', '--limit'), '1');
    assert.match(found('stack'), /^up down /u);
  });

  it('fish offers the same', (t) => {
    if (!has('fish')) return t.skip('fish is not installed');
    const script = 'source $argv[1]; complete -C $argv[2]';
    const found = (line: string): string[] =>
      execFileSync('fish', ['--no-config', '-c', script, scriptOf('fish'), line], { encoding: 'utf8' })
        .split('\n')
        .flatMap((offer) => offer.split('\t')[0] ?? []);
    assert.ok(found('ferry stack ').includes('down'));
    assert.ok(!found('ferry stack up ').includes('down'));
    for (const name of serviceNames) assert.ok(found('ferry stack up --service ').includes(name));
    assert.ok(found('ferry start --').includes('--prune'));
  });

  it('another shell is refused', () => {
    const { status, stderr } = spawnSync(process.execPath, [CLI, 'completion', 'tcsh'], { encoding: 'utf8' });
    assert.equal(status, 2);
    assert.match(stderr, /bash, zsh, fish/u);
  });
});
