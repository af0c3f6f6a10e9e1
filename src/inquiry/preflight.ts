import type { PreflightInput, PreflightReport } from '../job/inquiry.ts';
import type { Attempt } from '../reconcile/patience.ts';
import type { InquiryServices } from './services.ts';
import { lookAtEmbedding } from './preflight-embedding.ts';
import { lookAtLedger } from './preflight-ledger.ts';
import { lookAtSource } from './preflight-source.ts';
import { capacityChecks, lookAtTarget } from './preflight-target.ts';
import { sizeBuckets } from './sizes.ts';

/**
 * Contract: {@link Inquiries.preflight}. All services are looked at at once, and a fault of one is a check like any
 * other: nothing hides the rest.
 */
export async function preflight(
  services: InquiryServices,
  { specification }: PreflightInput,
  attempt: Attempt,
): Promise<PreflightReport> {
  const [source, target, embedding, ledger] = await Promise.all([
    lookAtSource(services.source, specification, attempt),
    lookAtTarget(services.target, specification, attempt),
    lookAtEmbedding(services.embedder, specification, attempt),
    lookAtLedger(services.ledger, attempt),
  ]);
  return {
    checks: [
      ...source.checks,
      ...target.checks,
      ...capacityChecks(target.capacity, source.need, specification),
      ...embedding,
      ...ledger,
    ],
    // Counts of what was looked at, not of what it stands for.
    sizes: sizeBuckets(source.sizes.map((size) => ({ ...size, weight: 1 }))),
    sampled: source.sizes.length,
  };
}
