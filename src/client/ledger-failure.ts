import { ledgerConfig, type Environment } from '../config.ts';
import type { LedgerFailure } from '../ledger/ledger.ts';
import { createLedger } from '../services.ts';

/** The newest failure of a record that the ledger knows; null without a ledger or without an answer within 3 s. */
export async function ledgerFailure(
  environment: Environment,
  { name, recordId }: { name: string; recordId: string },
): Promise<LedgerFailure | null> {
  try {
    const ledger = createLedger(ledgerConfig(environment));
    return (await ledger?.lastFailure(name, recordId, AbortSignal.timeout(3_000))) ?? null;
  } catch {
    return null;
  }
}
