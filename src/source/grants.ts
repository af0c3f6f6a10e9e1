/** A quoted name, password hash or host in a line of SHOW GRANTS. */
const QUOTED = /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`/gu;

/** Privileges that let an account change data or what holds it. */
const WRITING = new Set([
  'ALL',
  'ALL PRIVILEGES',
  'ALTER',
  'ALTER ROUTINE',
  'CREATE',
  'CREATE ROLE',
  'CREATE ROUTINE',
  'CREATE TABLESPACE',
  'CREATE USER',
  'CREATE VIEW',
  'DELETE',
  'DELETE HISTORY',
  'DELETE VERSIONING ROWS',
  'DROP',
  'DROP ROLE',
  'EVENT',
  'FILE',
  'INDEX',
  'INSERT',
  'SUPER',
  'TRIGGER',
  'UPDATE',
]);

/** What an account may do, by the lines of SHOW GRANTS. */
export interface Grants {
  readonly canWrite: boolean;
  /** Roles that are granted to it, as the server writes them: each can follow `SHOW GRANTS FOR`. */
  readonly roles: readonly string[];
}

/**
 * Reads the lines of SHOW GRANTS. What a role may do stands in its own grants.
 *
 * @returns null if a line is not understood
 */
export function readGrants(lines: readonly string[]): Grants | null {
  let canWrite = false;
  const roles: string[] = [];
  for (const line of lines) {
    if (!line.startsWith('GRANT ')) continue; // partial revokes and default roles take or add nothing
    const names: string[] = [];
    const bare = line.replace(QUOTED, (name) => `?${names.push(name) - 1}?`);
    const granted = /^GRANT (?<what>.+?)(?<on> ON .+?)? TO /u.exec(bare)?.groups;
    const what = granted?.['what'];
    if (what === undefined) return null;
    if (granted?.['on'] === undefined) {
      roles.push(
        ...what
          .split(',')
          .map((role) => role.trim().replace(/\?(\d+)\?/gu, (_, at) => names[Number(at)] ?? '')),
      );
    } else {
      const privileges = what.replace(/\([^)]*\)/gu, '').split(',');
      canWrite ||= privileges.some((privilege) => WRITING.has(privilege.trim().toUpperCase()));
    }
  }
  return { canWrite, roles };
}
