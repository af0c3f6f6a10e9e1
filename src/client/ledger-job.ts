import { ledgerConfig, type Environment } from '../config.ts';
import type { LedgerJob } from '../ledger/ledger.ts';
import { createLedger } from '../services.ts';

/** What the ledger knows of a job; null without a ledger, without an answer within 3 s, or without the job. */
export async function ledgerJob(
  environment: Environment,
  { name, jobId }: { name: string; jobId: string },
): Promise<LedgerJob | null> {
  const ledger = createLedger(ledgerConfig(environment));
  if (ledger === null) return null;
  try {
    const jobs = await ledger.jobs({ name, limit: 50 }, AbortSignal.timeout(3_000));
    return jobs.find(({ id }) => id === jobId) ?? null;
  } catch {
    return null;
  }
}
