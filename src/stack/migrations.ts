import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ownFile } from './module-file.ts';
import { literal, type Query } from './postgres-client.ts';

const migrationsDir = ownFile('../../supabase/migrations');

/**
 * Applies the files of supabase/migrations/ that a database has not had, in the order of their names, each in one
 * transaction with its line in supabase_migrations.schema_migrations (the table that the Supabase CLI keeps).
 *
 * @returns the names of the files that were applied
 * @throws Error naming the file that failed; it has left nothing behind, and those before it stay
 */
export async function applyMigrations(query: Query): Promise<string[]> {
  await query(
    'create schema if not exists supabase_migrations; ' +
      'create table if not exists supabase_migrations.schema_migrations ' +
      '(version text primary key, statements text[], name text)',
  );
  const rows = await query('select version from supabase_migrations.schema_migrations');
  const known = new Set(rows.map(([version]) => version));
  const applied: string[] = [];
  for (const { file, sql } of migrations()) {
    const { version, name } = parts(file);
    if (known.has(version)) continue;
    const line = `insert into supabase_migrations.schema_migrations (version, name) values (${literal(version)}, ${literal(name)})`;
    try {
      await query(`begin;\n${sql}\n;${line};\ncommit;`);
    } catch (error) {
      await query('rollback').catch(() => undefined);
      throw new Error(`migration ${file} failed: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    applied.push(file);
  }
  return applied;
}

/** The SQL files of supabase/migrations/ in the order in which they are applied. */
export function migrations(): { file: string; sql: string }[] {
  return migrationFiles().map((file) => ({ file, sql: readFileSync(join(migrationsDir, file), 'utf8') }));
}

function migrationFiles(): string[] {
  if (!existsSync(migrationsDir)) return [];
  return readdirSync(migrationsDir)
    .filter((file) => /^\d+_.+\.sql$/.test(file))
    .sort();
}

/** `20261121090000_ledger.sql`: the digits are the version, the rest is the name. */
function parts(file: string): { version: string; name: string } {
  const [version = '', name = ''] = file.replace(/\.sql$/, '').split(/_(.*)/s);
  return { version, name };
}
