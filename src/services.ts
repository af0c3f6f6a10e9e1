import { serviceConfig, workerConfig, type Environment } from './config.ts';
import type { Ledger } from './ledger/ledger.ts';
import type { LedgerSettings } from './ledger/settings.ts';
import type { InquiryServices } from './inquiry/services.ts';
import { createOpenAiEmbedder } from './embedding/openai.ts';
import { priceOf } from './embedding/price.ts';
import { createSupabaseLedger } from './ledger/supabase.ts';
import { MemoryBudget } from './reconcile/memory-budget.ts';
import { createMySqlSource } from './source/mysql.ts';
import { createQdrantTarget } from './target/qdrant.ts';

/** The adapters, ready for work; nothing is connected before the first call. */
export interface Services extends InquiryServices {
  close(): Promise<void>;
}

/**
 * Builds the adapters for a worker or a command; nothing else does.
 *
 * @param identity shown to the embedding service in the User-Agent header
 * @throws InputError naming every setting that is missing or malformed
 */
export function createServices(environment: Environment, identity: string): Services {
  const settings = serviceConfig(environment);
  const source = createMySqlSource(settings);
  return {
    source,
    memory: new MemoryBudget(workerConfig(environment).WORKER_MEMORY_MB * 1_000_000),
    embedder: createOpenAiEmbedder(settings, { userAgent: `vector-ferry (${identity})` }),
    target: createQdrantTarget(settings),
    ledger: createLedger(settings, priceOf(settings)),
    close: () => source.close(),
  };
}

/**
 * The ledger, or null where no Supabase is configured.
 *
 * @param usdPerMillionTokens what costs are computed with; null: no price is known, or nothing is written
 */
export function createLedger(
  settings: LedgerSettings,
  usdPerMillionTokens: number | null = null,
): Ledger | null {
  return settings.SUPABASE_URL === undefined ? null : createSupabaseLedger(settings, { usdPerMillionTokens });
}
