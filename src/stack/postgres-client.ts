import pg from 'pg';

/** Rows of text as PostgreSQL prints them. */
export type Query = (sql: string) => Promise<(string | null)[][]>;

/**
 * Connects to PostgreSQL, lets `work` run SQL, and disconnects. Several statements in one text are one transaction
 * unless they say otherwise.
 *
 * @param url postgres://user:password@host:port/database
 * @throws Error with PostgreSQL's own message
 */
export async function withPostgres<T>(url: string, work: (query: Query) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 60_000,
    query_timeout: 60_000,
    types: { getTypeParser: () => (text: string) => text },
  });
  await client.connect();
  try {
    return await work(async (sql) => {
      const results: unknown = await client.query({ text: sql, rowMode: 'array' });
      // Several statements give a list of results.
      return [results].flat().flatMap((result) => (result as pg.QueryArrayResult<(string | null)[]>).rows);
    });
  } finally {
    await client.end();
  }
}

/** A value of SQL: a text in quotes. */
export function literal(value: string): string {
  return pg.escapeLiteral(value);
}
