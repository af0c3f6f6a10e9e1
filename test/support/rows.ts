import type { Pool } from 'mysql2/promise';

/** A row of the seed's table. */
export interface Row {
  readonly id: bigint;
  readonly tenant: string;
  readonly content: string | null;
}

/** Snowflake ids: beyond 2^53, ascending, with gaps. */
export function snowflake(index: number): bigint {
  return 1_745_000_000_000_000_000n + BigInt(index) * 4_194_307n + BigInt((index * 7) % 11);
}

/**
 * Text of about that many tokens in which every sentence is its own: all chunks of all rows are distinct.
 *
 * @param seed part of every sentence
 */
export function distinctText(seed: string, tokens: number): string {
  // A sentence of this shape is about 16 tokens.
  const sentences = Math.max(1, Math.round(tokens / 16));
  return Array.from(
    { length: sentences },
    (_, k) => `Sentence ${k} of record ${seed} speaks about vessel ${k * 7919 + seed.length}.`,
  ).join(' ');
}

/** @returns rows of 1 to 5 children of 256 tokens each, 3 on average */
export function distinctRows(count: number, first = 0): Row[] {
  return Array.from({ length: count }, (_, k) => ({
    id: snowflake(first + k),
    tenant: `tenant-${k % 5}`,
    content: distinctText(String(first + k), 80 + ((k * 37) % 5) * 225),
  }));
}

/** Creates the seed's table, empty. */
export async function createTable(sql: Pool): Promise<void> {
  await sql.query('DROP TABLE IF EXISTS ip_summary');
  await sql.query(
    'CREATE TABLE ip_summary (id BIGINT PRIMARY KEY, member_code VARCHAR(255), parse_content LONGTEXT) CHARACTER SET utf8mb4',
  );
}

export async function insertRows(sql: Pool, rows: readonly Row[]): Promise<void> {
  for (let i = 0; i < rows.length; i += 500) {
    const values = rows.slice(i, i + 500).map(({ id, tenant, content }) => [String(id), tenant, content]);
    await sql.query('INSERT INTO ip_summary (id, member_code, parse_content) VALUES ?', [values]);
  }
}

export async function updateRow(sql: Pool, { id, tenant, content }: Row): Promise<void> {
  await sql.query('UPDATE ip_summary SET member_code = ?, parse_content = ? WHERE id = ?', [
    tenant,
    content,
    String(id),
  ]);
}

export async function deleteRow(sql: Pool, id: bigint): Promise<void> {
  await sql.query('DELETE FROM ip_summary WHERE id = ?', [String(id)]);
}
