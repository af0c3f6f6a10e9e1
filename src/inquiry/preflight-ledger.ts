import type { Check } from '../job/inquiry.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Attempt } from '../reconcile/patience.ts';
import { look, ok, problem, warning } from './preflight-check.ts';

const LIMIT_MS = 20_000;

/** Looks at Supabase. A migration does not need it, so that an outage is no problem, but settings that never work are. */
export async function lookAtLedger(ledger: Ledger | null, attempt: Attempt): Promise<Check[]> {
  if (ledger === null)
    return [ok('ledger.configured', 'No ledger is configured (SUPABASE_URL); none is needed.')];
  const answer = await look(attempt, LIMIT_MS, (signal) => ledger.examine(signal));
  if ('found' in answer) {
    const { missingMigrations } = answer.found;
    if (missingMigrations.length === 0) {
      return [ok('ledger.server', 'Supabase answers, and its tables are current.')];
    }
    return [
      warning(
        'ledger.server',
        'Supabase answers, and its tables are of an older version; the cost of a job is not written.',
        `Apply ${missingMigrations.join(', ')} of supabase/migrations to the project.`,
      ),
    ];
  }
  const { code, message } = answer.failure;
  if (code === 'ledger_access_denied') {
    return [problem('ledger.server', message, 'Set SUPABASE_KEY to the service-role key of the project.')];
  }
  if (code === 'ledger_schema_missing') {
    return [problem('ledger.server', message, 'Apply the files of supabase/migrations in their order.')];
  }
  return [
    warning(
      'ledger.server',
      message,
      'A job runs without it and writes the ledger when it is back; check SUPABASE_URL.',
    ),
  ];
}
