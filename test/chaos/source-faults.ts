import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolConnection, RowDataPacket } from 'mysql2/promise';
import type { Infliction } from './fault.ts';

/** The workers' own account, so that their queries can be told from those of others. */
export const READER = { user: 'chaos_reader', password: 'chaos-reader' } as const;

const GATE = 'chaos_gate';
const LOOK_EVERY_MS = 50;
/** So long queries are held up, so that there are some to be killed. */
const HOLD_MS = 700;

/** Makes the workers' account, which may only read. */
export async function createReader(sql: Pool): Promise<void> {
  const account = `'${READER.user}'@'%'`;
  await sql.query(`CREATE OR REPLACE USER ${account} IDENTIFIED BY '${READER.password}'`);
  await sql.query(`GRANT SELECT, SHOW VIEW ON ferry.* TO ${account}`);
  await sql.query(`GRANT EXECUTE ON ferry.* TO ${account}`);
}

/**
 * Puts a view into the place of the table that answers as the server does in a deadlock while the gate is shut. Plain
 * reads take no locks, so two of them never get into one by themselves.
 */
export async function putGate(sql: Pool): Promise<void> {
  await sql.query('DROP TABLE IF EXISTS ip_summary_rows');
  await sql.query('RENAME TABLE ip_summary TO ip_summary_rows');
  await sql.query(
    `CREATE OR REPLACE FUNCTION ${GATE}() RETURNS INT NOT DETERMINISTIC READS SQL DATA BEGIN ` +
      `IF IS_USED_LOCK('${GATE}') IS NOT NULL THEN SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, ` +
      "MESSAGE_TEXT = 'Deadlock found when trying to get lock; try restarting transaction'; END IF; RETURN 1; END",
  );
  await sql.query(
    `CREATE VIEW ip_summary AS SELECT id, member_code, parse_content FROM ip_summary_rows WHERE ${GATE}() = 1`,
  );
}

/** Takes the view of an earlier round away. */
export async function removeGate(sql: Pool): Promise<void> {
  await sql.query('DROP VIEW IF EXISTS ip_summary');
}

/** Every read ends in a deadlock. */
export async function deadlock(sql: Pool, durationMs: number): Promise<Infliction> {
  const before = await signals(sql);
  await holding(sql, durationMs, async (connection) => {
    await connection.query(`SELECT GET_LOCK('${GATE}', 5)`);
  });
  const count = (await signals(sql)) - before;
  return { hit: count > 0, detail: `${count} deadlocks` };
}

/** Every read waits. */
export async function lockTable(sql: Pool, durationMs: number): Promise<Infliction> {
  let waiting = 0;
  await holding(sql, durationMs, takeTable, async () => {
    waiting = Math.max(waiting, (await running(sql)).length);
  });
  return { hit: waiting > 0, detail: `${waiting} queries waited` };
}

/** Queries of the workers are held up for a moment and killed. */
export async function killQueries(sql: Pool, durationMs: number): Promise<Infliction> {
  let killed = 0;
  for (const until = performance.now() + durationMs; performance.now() < until; await sleep(HOLD_MS)) {
    await holding(sql, HOLD_MS, takeTable, async () => {
      for (const id of await running(sql)) {
        await sql.query(`KILL QUERY ${id}`).then(
          () => killed++,
          () => undefined,
        );
      }
    });
  }
  return { hit: killed > 0, detail: `${killed} queries killed` };
}

/** Holds what `take` takes for a while; a server that is away meanwhile holds nothing. */
async function holding(
  sql: Pool,
  durationMs: number,
  take: (connection: PoolConnection) => Promise<void>,
  look: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const until = performance.now() + durationMs;
  let connection: PoolConnection | undefined;
  try {
    connection = await sql.getConnection();
    await take(connection);
    while (performance.now() < until) {
      await look();
      await sleep(Math.min(LOOK_EVERY_MS, Math.max(0, until - performance.now())));
    }
  } catch {
    await sleep(Math.max(0, until - performance.now()));
  } finally {
    // Not given back: its locks end with it.
    connection?.destroy();
  }
}

async function takeTable(connection: PoolConnection): Promise<void> {
  const [views] = await connection.query<RowDataPacket[]>("SHOW FULL TABLES LIKE 'ip_summary_rows'");
  const [plain] = await connection.query<RowDataPacket[]>(
    "SELECT 1 FROM information_schema.views WHERE table_name = 'ip_summary'",
  );
  const table = views.length > 0 && plain.length > 0 ? 'ip_summary_rows' : 'ip_summary';
  await connection.query(`LOCK TABLES ${table} WRITE`);
}

/** Ids of the connections of workers that run a query. */
async function running(sql: Pool): Promise<number[]> {
  const [rows] = await sql.query<RowDataPacket[]>(
    "SELECT id FROM information_schema.processlist WHERE user = ? AND command IN ('Query', 'Execute')",
    [READER.user],
  );
  return rows.map((row) => Number(row['id']));
}

async function signals(sql: Pool): Promise<number> {
  const [rows] = await sql
    .query<RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Com_signal'")
    .catch(() => [[]] as unknown as [RowDataPacket[]]);
  return Number(rows[0]?.['Value'] ?? 0);
}
