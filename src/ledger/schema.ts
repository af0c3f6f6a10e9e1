import { Fault } from '../errors.ts';
import { noSupabase } from './errors.ts';
import { answered } from './request.ts';
import type { Supabase } from './request.ts';

/** Files of supabase/migrations, in order; the schema's number is how many of them a project has. */
export const LEDGER_MIGRATIONS = ['20261121000000_ledger.sql', '20261121120000_ledger_cost.sql'];

const TABLES = ['ingestion_job', 'ingestion_batch', 'ingestion_failure'];

/**
 * Reads without effect what the mirror needs: the tables, the functions, and that the key may use all of it.
 *
 * @throws Fault `ledger_schema_missing` naming the files to apply, `ledger_access_denied`, `ledger_unavailable`
 */
export async function examineSchema(client: Supabase, signal: AbortSignal): Promise<void> {
  for (const table of TABLES) {
    const read = answered<unknown[]>(
      signal,
      (limit) => client.from(table).select('*').limit(0).retry(false).abortSignal(limit),
      Array.isArray,
    );
    await read.catch((error: unknown) => {
      throw naming(error, LEDGER_MIGRATIONS);
    });
  }
  const asked = answered<unknown>(
    signal,
    (limit) => client.rpc('ferry_ledger_version').retry(false).abortSignal(limit),
    () => true,
  );
  const version = await asked.catch((error: unknown) => {
    // The first schema could not be asked.
    throw naming(error, LEDGER_MIGRATIONS.slice(1));
  });
  if (version === null) {
    throw new Fault('ledger_access_denied', 'SUPABASE_KEY belongs to a role that may not write the tables');
  }
  if (typeof version !== 'number') throw noSupabase('an answer of another form');
  if (version < LEDGER_MIGRATIONS.length) throw missing(LEDGER_MIGRATIONS.slice(version));
}

/** The error, with the files to apply if it is the schema that is missing. */
function naming(error: unknown, files: readonly string[]): unknown {
  return error instanceof Fault && error.code === 'ledger_schema_missing' ? missing(files) : error;
}

function missing(files: readonly string[]): Fault {
  return new Fault('ledger_schema_missing', `to apply to the project of SUPABASE_URL: ${files.join(', ')}`);
}
