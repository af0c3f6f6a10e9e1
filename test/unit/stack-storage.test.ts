import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { storageProblem } from '../../src/stack/storage-problem.ts';

const plenty = () => 10 * 1024 ** 3;
const failing = (code: string, path?: string) =>
  Object.assign(new Error(`${code}: it does not work`), { code, path });
const fullDisk =
  /^a disk is full: 10240 MiB are free on that of \/a\/stack; make room .*FERRY_STACK_DIR.*XDG_CACHE_HOME/;

describe('what the stack says about storage', () => {
  it('names the folders that can be moved when a disk is full, whoever reports it', () => {
    const reports = [
      failing('ENOSPC'),
      failing('EDQUOT'),
      new Error('it does not run', { cause: failing('ENOSPC') }),
      new AggregateError([new Error('other'), failing('ENOSPC')], 'two failures'),
      new Error(
        'npm install failed (exit code 1):\n  | npm ERR! nospc ENOSPC: no space left on device, write',
      ),
      new Error(
        "its process has ended\n  | [ERROR] InnoDB: Write to file failed, error: 28 'No space left on device'",
      ),
      new Error('its process has ended\n  | Error: database or disk is full'),
    ];
    for (const report of reports) assert.match(storageProblem(report, '/a/stack', plenty) ?? '', fullDisk);
  });

  it('asks the disk itself, since a server whose log is full says nothing', () => {
    const silent = new Error('its process has ended');
    assert.match(
      storageProblem(silent, '/a/stack', () => 1_048_576) ?? '',
      /^a disk is full: 1 MiB are free/,
    );
    assert.equal(storageProblem(silent, '/a/stack', plenty), undefined);
    assert.equal(
      storageProblem(silent, '/a/stack', () => undefined),
      undefined,
    );
  });

  it('names the path that cannot be written', () => {
    for (const code of ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR']) {
      const wrapped = new Error('it does not run', { cause: failing(code, '/a/stack/logs') });
      const sentence = new RegExp(
        `^/a/stack/logs cannot be written \\(${code}\\); give your user write access, or`,
      );
      assert.match(storageProblem(wrapped, '/a/stack', plenty) ?? '', sentence);
    }
    assert.match(
      storageProblem(failing('EACCES'), '/a/stack', plenty) ?? '',
      /^\/a\/stack cannot be written/,
    );
  });

  it('leaves other errors alone', () => {
    for (const error of [failing('ECONNREFUSED'), new Error('port 28 is taken'), 'text', undefined]) {
      assert.equal(storageProblem(error, '/a/stack', plenty), undefined);
    }
  });
});
