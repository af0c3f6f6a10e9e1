import { type ConnectionOptions, createConnection } from 'mysql2/promise';

import type { CorpusRow } from './corpus.ts';

const MAX_STATEMENT_CHARACTERS = 1_000_000;
const MAX_STATEMENT_ROWS = 500;

const CREATE_TABLE = `
  CREATE TABLE IF NOT EXISTS ip_summary (
    id BIGINT NOT NULL PRIMARY KEY,
    member_code VARCHAR(255) NOT NULL,
    parse_content LONGTEXT NULL,
    updated_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)
  ) CHARACTER SET utf8mb4`;

// Not INSERT IGNORE, which would let other faults pass too.
const INSERT =
  'INSERT INTO ip_summary (id, member_code, parse_content) VALUES ? ON DUPLICATE KEY UPDATE id = ip_summary.id';

/** Groups of rows for one INSERT each; a huge row stands alone. */
function* statements(rows: readonly CorpusRow[]): Generator<CorpusRow[]> {
  let group: CorpusRow[] = [];
  let characters = 0;
  for (const row of rows) {
    const length = row.parse_content?.length ?? 0;
    const isFull = group.length === MAX_STATEMENT_ROWS || characters + length > MAX_STATEMENT_CHARACTERS;
    if (group.length > 0 && isFull) {
      yield group;
      group = [];
      characters = 0;
    }
    group.push(row);
    characters += length;
  }
  if (group.length > 0) yield group;
}

/**
 * Creates the table `ip_summary` of the demo where it is missing, and inserts the rows. A row with an id that exists is
 * left as it is, so a demo that is run again on a kept stack finds its table.
 */
export async function loadCorpus(
  connectionOptions: ConnectionOptions,
  rows: readonly CorpusRow[],
): Promise<void> {
  const connection = await createConnection({ ...connectionOptions, charset: 'utf8mb4' });
  try {
    await connection.query(CREATE_TABLE);
    for (const group of statements(rows)) {
      // Ids as text, which the server takes exactly.
      const values = group.map((row) => [String(row.id), row.member_code, row.parse_content]);
      await connection.query(INSERT, [values]);
    }
  } finally {
    await connection.end();
  }
}
