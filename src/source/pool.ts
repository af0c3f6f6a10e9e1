import { readFileSync } from 'node:fs';
import mysql from 'mysql2/promise';
import type { FieldPacket, PoolConnection, PoolOptions } from 'mysql2/promise';
import { Fault, InputError } from '../errors.ts';
import { explainSourceError } from './errors.ts';
import type { SourceSettings } from './settings.ts';
import type { RawValue } from './values.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** A server that says nothing for this long does not answer; long enough for a count without a fitting index. */
const SILENCE_TIMEOUT_MS = 300_000;
const IDLE_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_DELAY_MS = 10_000;

/** TIMESTAMP values arrive in UTC, and a filter cannot write. */
const SESSION_SETUP = ["SET time_zone = '+00:00'", 'SET SESSION TRANSACTION READ ONLY'];
/** The server goes on with a query whose client has left; this ends it. MySQL and MariaDB name it differently. */
const SERVER_TIME_LIMIT = {
  mysql: `SET SESSION max_execution_time = ${SILENCE_TIMEOUT_MS}`,
  mariadb: `SET SESSION max_statement_time = ${SILENCE_TIMEOUT_MS / 1_000}`,
};

type ServerProduct = keyof typeof SERVER_TIME_LIMIT;

/** A SELECT with a time limit of its own. */
const LIMITED: Record<ServerProduct, (sql: string, limitMs: number) => string> = {
  mysql: (sql, limitMs) => sql.replace(/^SELECT/u, `SELECT /*+ MAX_EXECUTION_TIME(${limitMs}) */`),
  mariadb: (sql, limitMs) => `SET STATEMENT max_statement_time = ${limitMs / 1_000} FOR ${sql}`,
};
/** ER_QUERY_TIMEOUT of MySQL, ER_STATEMENT_TIMEOUT of MariaDB. */
const TIME_LIMIT_ERRORS = new Set<unknown>([3024, 1969]);

/** Rows by column position, undecoded, and what the server says of each column. */
export interface RawResult {
  readonly rows: readonly (readonly RawValue[])[];
  readonly columns: readonly FieldPacket[];
}

/** Runs single queries, each on a connection that is free again when it returns. */
export interface QueryPool {
  /** @throws Fault where the error is known; `signal.reason` when aborted (its connection is closed then) */
  query(sql: string, signal: AbortSignal): Promise<RawResult>;
  /**
   * Runs a SELECT that the server gives up after `limitMs`.
   *
   * @returns null if it did not end in time
   */
  queryWithin(limitMs: number, sql: string, signal: AbortSignal): Promise<RawResult | null>;
  /** Ends the connections; never rejects, since no query waits for them any more. */
  close(): Promise<void>;
}

/** Connects on the first query. The text protocol is used: it is up to three times as fast as prepared statements. */
export function createQueryPool(settings: SourceSettings): QueryPool {
  const pool = mysql.createPool(poolOptions(settings));
  const products = new WeakMap<object, ServerProduct>();

  async function acquire(signal: AbortSignal): Promise<PoolConnection> {
    return abortable(pool.getConnection(), signal, (late) => {
      late.release();
    });
  }

  async function run(connection: PoolConnection, sql: string, limitMs: number | null): Promise<RawResult> {
    const product = products.get(connection.connection) ?? (await setUp(connection));
    products.set(connection.connection, product);
    const limited = limitMs === null ? sql : LIMITED[product](sql, limitMs);
    const options = { sql: limited, rowsAsArray: true, typeCast: false };
    const [rows, columns] = await connection.query<mysql.RowDataPacket[][]>(options);
    return { rows: rows as unknown as RawResult['rows'], columns };
  }

  /** @returns null only after the time limit, if there is one */
  async function query(sql: string, limitMs: number | null, signal: AbortSignal): Promise<RawResult | null> {
    signal.throwIfAborted();
    try {
      const connection = await acquire(signal);
      try {
        signal.throwIfAborted();
        const result = await abortable(run(connection, sql, limitMs), signal);
        connection.release();
        return result;
      } catch (error) {
        // After an abort, a timeout or a lost connection its state is unknown, and errors are rare.
        connection.destroy();
        throw error;
      }
    } catch (error) {
      signal.throwIfAborted();
      if (limitMs !== null && TIME_LIMIT_ERRORS.has((error as { errno?: unknown }).errno)) return null;
      throw explainSourceError(error);
    }
  }

  return {
    query: async (sql, signal) => (await query(sql, null, signal)) as RawResult,
    queryWithin: (limitMs, sql, signal) => query(sql, limitMs, signal),
    close: () => pool.end().catch(() => undefined),
  };
}

async function setUp(connection: PoolConnection): Promise<ServerProduct> {
  for (const statement of SESSION_SETUP) await connection.query(statement);
  try {
    await connection.query(SERVER_TIME_LIMIT.mysql);
    return 'mysql';
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ER_UNKNOWN_SYSTEM_VARIABLE') throw error;
    await connection.query(SERVER_TIME_LIMIT.mariadb);
    return 'mariadb';
  }
}

function poolOptions(settings: SourceSettings): PoolOptions {
  return {
    host: settings.MYSQL_HOST,
    port: settings.MYSQL_PORT,
    user: settings.MYSQL_USER,
    password: settings.MYSQL_PASSWORD,
    database: settings.MYSQL_DATABASE,
    charset: 'utf8mb4',
    connectionLimit: settings.MYSQL_POOL_SIZE,
    connectTimeout: CONNECT_TIMEOUT_MS,
    idleTimeout: IDLE_TIMEOUT_MS,
    enableKeepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    ...tlsOptions(settings),
  };
}

function tlsOptions(settings: SourceSettings): Pick<PoolOptions, 'ssl'> {
  if (settings.MYSQL_TLS === 'disabled') return {};
  if (settings.MYSQL_TLS === 'required') return { ssl: { rejectUnauthorized: false } };
  return { ssl: { rejectUnauthorized: true, verifyIdentity: true, ca: certificateOf(settings.MYSQL_CA) } };
}

function certificateOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new InputError([
      `MYSQL_CA: expected a PEM file, cannot read it (${(error as NodeJS.ErrnoException).code})`,
    ]);
  }
}

/**
 * Waits for `work`, the signal or the end of patience with a silent server (the driver's own timer would outlive a
 * connection that was closed by an abort).
 *
 * @param late receives a result that nobody waits for any more
 */
function abortable<T>(work: Promise<T>, signal: AbortSignal, late?: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (reason: Error): void => {
      settle();
      reject(reason);
      work.then(late, () => undefined);
    };
    const abort = (): void => {
      giveUp(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      giveUp(new Fault('source_unavailable', `no answer within ${SILENCE_TIMEOUT_MS / 1_000} s`));
    }, SILENCE_TIMEOUT_MS);
    const settle = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    };
    signal.addEventListener('abort', abort, { once: true });
    work.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: Error) => {
        settle();
        reject(error);
      },
    );
  });
}
