import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readGrants } from '../../src/source/grants.ts';
import { describeServer } from '../../src/source/server.ts';

describe('readGrants', () => {
  const canWrite = (...lines: string[]) => readGrants(lines)?.canWrite;

  it('knows an account that only reads', () => {
    assert.equal(
      canWrite(
        "GRANT USAGE ON *.* TO `reader`@`%` IDENTIFIED BY PASSWORD '*0123 INSERT ON x TO '",
        'GRANT SELECT, SHOW VIEW, LOCK TABLES ON `shop`.* TO `reader`@`%`',
        'GRANT SELECT (`id`, `INSERT, DELETE`), REFERENCES (`a)`) ON `shop`.`t` TO `reader`@`%`',
        'GRANT PROCESS, REPLICATION CLIENT ON *.* TO "reader"@"%"',
      ),
      false,
    );
  });

  it('knows every privilege that writes, wherever it stands', () => {
    for (const privilege of [
      'INSERT',
      'UPDATE',
      'DELETE',
      'DROP',
      'ALTER',
      'CREATE',
      'TRIGGER',
      'SUPER',
      'FILE',
    ]) {
      assert.equal(canWrite(`GRANT SELECT, ${privilege} ON \`shop\`.* TO \`u\`@\`%\``), true, privilege);
    }
    assert.equal(canWrite("GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' WITH GRANT OPTION"), true);
    assert.equal(canWrite('GRANT SELECT (`id`), UPDATE (`a`, `b`) ON `shop`.`t` TO `u`@`%`'), true);
    assert.equal(
      canWrite('GRANT SELECT, INSERT ON *.* TO `u`@`%`', 'REVOKE INSERT ON `mysql`.* FROM `u`@`%`'),
      true,
    );
  });

  it('names the roles as they can be asked for', () => {
    assert.deepEqual(
      readGrants([
        'GRANT USAGE ON *.* TO `u`@`%`',
        'GRANT `app ON x`@`%`,`b``c`@`localhost` TO `u`@`%`',
        'SET DEFAULT ROLE `x` FOR `u`@`%`',
      ]),
      { canWrite: false, roles: ['`app ON x`@`%`', '`b``c`@`localhost`'] },
    );
    assert.deepEqual(readGrants(["GRANT reporting TO 'u'@'%'"])?.roles, ['reporting']);
  });

  it('does not guess', () => {
    assert.equal(readGrants(['GRANT nonsense']), null);
  });
});

describe('describeServer', () => {
  it('names product and version, and knows the supported ones', () => {
    const known: [string, string, boolean][] = [
      ['8.0.36', 'MySQL 8.0.36', true],
      ['8.0.36-28', 'MySQL 8.0.36', true],
      ['8.4.0-log', 'MySQL 8.4.0', true],
      ['9.1.0', 'MySQL 9.1.0', true],
      ['5.7.44-log', 'MySQL 5.7.44', false],
      ['10.11.6-MariaDB-0+deb12u1', 'MariaDB 10.11.6', true],
      ['5.5.5-10.6.14-MariaDB-log', 'MariaDB 10.6.14', true],
      ['10.5.0-MariaDB', 'MariaDB 10.5.0', true],
      ['10.4.34-MariaDB', 'MariaDB 10.4.34', false],
      ['11.4.2-MariaDB', 'MariaDB 11.4.2', true],
      ['5.5.5', 'MySQL 5.5.5', false],
      ['unheard of', 'MySQL unheard of', false],
    ];
    for (const [version, server, isSupported] of known)
      assert.deepEqual(describeServer(version), { server, isSupported }, version);
  });
});
