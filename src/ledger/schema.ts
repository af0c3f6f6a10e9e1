import { Fault } from '../errors.ts';
import { noSupabase } from './errors.ts';
import type { LedgerExamination } from './ledger.ts';
import { answered } from './request.ts';
import type { Supabase } from './request.ts';

/**
 * Files of supabase/migrations, in order; the schema's number is how many of them a project has. With the first alone
 * `apply` works already: what later ones added is left out.
 */
export const LEDGER_MIGRATIONS = ['20261121000000_ledger.sql', '20261121120000_ledger_cost.sql'];

const TABLES = ['ingestion_job', 'ingestion_batch', 'ingestion_failure'];

/**
 * Reads without effect what the mirror needs: the tables, the functions, and that the key may use all of it.
 *
 * @returns the files that an older schema lacks
 * @throws Fault `ledger_schema_missing` naming the files to apply where there is none, `ledger_access_denied`,
 *   `ledger_unavailable`
 */
export async function examineSchema(client: Supabase, signal: AbortSignal): Promise<LedgerExamination> {
  for (const table of TABLES) {
    const read = answered<unknown[]>(
      signal,
      (limit) => client.from(table).select('*').limit(0).retry(false).abortSignal(limit),
      Array.isArray,
    );
    await read.catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      const files = LEDGER_MIGRATIONS.join(', ');
      throw new Fault('ledger_schema_missing', `to apply to the project of SUPABASE_URL: ${files}`);
    });
  }
  const asked = answered<unknown>(
    signal,
    (limit) => client.rpc('ferry_ledger_version').retry(false).abortSignal(limit),
    () => true,
  );
  const version = await asked.catch((error: unknown) => {
    // The first schema could not be asked.
    if (isMissing(error)) return 1;
    throw error;
  });
  if (version === null) {
    throw new Fault('ledger_access_denied', 'SUPABASE_KEY belongs to a role that may not write the tables');
  }
  if (typeof version !== 'number') throw noSupabase('an answer of another form');
  return { missingMigrations: LEDGER_MIGRATIONS.slice(version) };
}

function isMissing(error: unknown): boolean {
  return error instanceof Fault && error.code === 'ledger_schema_missing';
}
