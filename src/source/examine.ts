import { Fault } from '../errors.ts';
import { detailOf } from './errors.ts';
import { examineRows } from './examine-rows.ts';
import { examineShape } from './examine-shape.ts';
import { readGrants } from './grants.ts';
import type { QueryPool } from './pool.ts';
import { describeServer } from './server.ts';
import type { SourceSettings } from './settings.ts';
import type { SourceExamination, TableSpec } from './source.ts';
import { textOf } from './values.ts';

/** @returns whether a host leads to this machine and nowhere else */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/iu.test(host);
}

/**
 * Contract: {@link Source.examine}. One question after the other, so that it takes one connection.
 *
 * @throws Fault `source_table_missing` naming database.table; `source_misconfigured` naming MYSQL_FILTER
 */
export async function examineSource(
  pool: QueryPool,
  settings: Pick<SourceSettings, 'MYSQL_HOST' | 'MYSQL_ROWS_PER_SECOND'>,
  table: TableSpec,
  signal: AbortSignal,
): Promise<SourceExamination> {
  const isLocal = isLoopback(settings.MYSQL_HOST);
  const rowsPerSecond = settings.MYSQL_ROWS_PER_SECOND ?? null;
  try {
    const server = await examineServer(pool, signal);
    const { idColumn, ...shape } = await examineShape(pool, table, signal);
    const rows = await examineRows(pool, table, { idColumn, idIndex: shape.idIndex }, signal);
    return { ...server, isLocal, rowsPerSecond, ...shape, ...rows };
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'source_table_missing') throw error;
    throw new Fault('source_table_missing', `${table.database}.${table.table}: ${detailOf(error)}`);
  }
}

async function examineServer(
  pool: QueryPool,
  signal: AbortSignal,
): Promise<Pick<SourceExamination, 'server' | 'isSupported' | 'isEncrypted' | 'canWrite'>> {
  const version = await pool.query('SELECT VERSION()', signal);
  const cipher = await pool.query("SHOW SESSION STATUS LIKE 'Ssl_cipher'", signal);
  return {
    ...describeServer(textOf(version.rows[0]?.[0])),
    isEncrypted: (cipher.rows[0]?.[1]?.length ?? 0) > 0,
    canWrite: await canWrite(pool, signal),
  };
}

/** @returns null if the server does not say, as MariaDB does of roles that are not active */
async function canWrite(pool: QueryPool, signal: AbortSignal): Promise<boolean | null> {
  const own = await grantsOf('CURRENT_USER()', pool, signal);
  if (own === null || own.canWrite || own.roles.length === 0) return own?.canWrite ?? null;
  // MySQL answers for all roles at once, MariaDB for one at a time; both include roles that are granted to roles.
  const all = await grantsOf(`CURRENT_USER() USING ${own.roles.join(', ')}`, pool, signal);
  if (all !== null) return all.canWrite;
  let isKnown = true;
  for (const role of own.roles) {
    const grants = await grantsOf(role, pool, signal);
    if (grants?.canWrite === true) return true;
    isKnown &&= grants !== null;
  }
  return isKnown ? false : null;
}

/** @param account as SQL, from the server itself */
async function grantsOf(account: string, pool: QueryPool, signal: AbortSignal) {
  try {
    const { rows } = await pool.query(`SHOW GRANTS FOR ${account}`, signal);
    return readGrants(rows.map((row) => textOf(row[0])));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Fault && error.kind === 'transient') throw error;
    return null;
  }
}
