import type { PlanInput, PlanReport } from '../job/inquiry.ts';
import type { Pace } from '../embedding/embedder.ts';
import { ALL_IDS, planJob } from '../planning/job-plan.ts';
import { persist, type Attempt } from '../reconcile/patience.ts';
import { scanIds } from '../reconcile/scan-ids.ts';
import { storageNeed } from './estimate-storage.ts';
import { estimate } from './estimate.ts';
import type { InquiryServices } from './services.ts';
import { look } from './preflight-check.ts';
import { compareEverything } from './plan-exact.ts';
import { inputsPerRequest, recommendedBatchSize, requestsOfBatches } from './plan-requests.ts';
import { sampleContents, type ContentBounds } from './sample-contents.ts';
import { sampleSizes, strataOfPlan } from './sample-sizes.ts';
import { sizeBuckets } from './sizes.ts';

/** How much of a table a plan looks at. */
export interface SampleBounds {
  /** Records whose sizes are read. */
  readonly sizes: number;
  /** Places of the table that they are read from. */
  readonly strata: number;
  readonly contents: ContentBounds;
}

/** What the target holds is worth no long wait. */
const TARGET_LIMIT_MS = 10_000;

const SAMPLE: SampleBounds = {
  sizes: 20_000,
  strata: 200,
  contents: { records: 1_000, bytes: 32 * 1024 * 1024 },
};

/**
 * Contract: {@link Inquiries.plan}. Outages are waited out for the patience of the attempt.
 *
 * @param sample how much is looked at; tables below it are counted exactly
 */
export async function plan(
  services: InquiryServices,
  { specification, isExact, usdPerMillionTokens }: PlanInput,
  attempt: Attempt,
  sample: SampleBounds = SAMPLE,
): Promise<PlanReport> {
  const { source, embedder } = services;
  const { table, limit, batchSize, chunking, collection } = specification;
  const job = await planJob(scanIds(source, table, ALL_IDS, attempt, limit), specification);

  const reading = AbortSignal.any([attempt.signal, attempt.stop]);
  const read = <T>(call: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    persist(attempt, () => call(reading));
  const strata = strataOfPlan(job, batchSize, job.records <= sample.sizes ? 1 : sample.strata);
  const perStratum = Math.ceil(sample.sizes / Math.max(1, strata.length));
  const sizes = await sampleSizes(source, table, strata, { perStratum, records: job.records }, read);
  const { records, texts } = await sampleContents(source, table, chunking, sizes, sample.contents, read);
  const estimated = estimate(sizeBuckets(sizes), records);
  const perRequest = inputsPerRequest(embedder, texts);

  const found = isExact ? await compareEverything(services, specification, job, attempt) : null;
  const ownPoints = isExact ? null : await pointsOf(services.target, specification, attempt);
  const { skipped, refused, parents, children, tokens, inputs, requests } = found ?? {
    ...estimated,
    inputs: estimated.children,
    requests: requestsOfBatches(estimated.children, job.ends.length, perRequest),
  };
  return {
    isExact,
    size: { partitions: job.partitions.length, batches: batchesOf(job.partitions), records: job.records },
    sampled: found?.records ?? records.length,
    skipped,
    refused,
    difference:
      found === null
        ? null
        : {
            unchanged: found.unchanged,
            changed: found.changed,
            pointsWritten: found.pointsWritten,
            pointsDeleted: found.pointsDeleted,
            orphans: found.orphans,
          },
    ownPoints,
    parents,
    children,
    inputs,
    tokens,
    costUsd: usdPerMillionTokens === null ? null : (tokens / 1e6) * usdPerMillionTokens,
    storage: storageNeed({ ...scaled(estimated, children), parents, children }, collection),
    pace: paceOf(embedder.pace(), requests, tokens),
    recommendedBatchSize: recommendedBatchSize(
      estimated.children,
      job.records - estimated.skipped - estimated.refused,
      perRequest,
    ),
  };
}

/** An estimate needs no Qdrant: without its answer, nobody knows. */
async function pointsOf(
  target: InquiryServices['target'],
  { collection, source }: PlanInput['specification'],
  attempt: Attempt,
): Promise<number | null> {
  const answer = await look(attempt, TARGET_LIMIT_MS, (signal) => target.examine(collection, source, signal));
  return 'failure' in answer ? null : (answer.found.points?.own ?? null);
}

function batchesOf(partitions: readonly { readonly batches: number }[]): number {
  return partitions.reduce((sum, { batches }) => sum + batches, 0);
}

/** Tokens and text of all children, also of those that the target has already. */
function scaled(
  estimated: { readonly tokens: number; readonly textBytes: number; readonly children: number },
  children: number,
): { tokens: number; textBytes: number } {
  const factor = estimated.children === 0 ? 0 : children / estimated.children;
  return { tokens: estimated.tokens * factor, textBytes: estimated.textBytes * factor };
}

/** How long the rate limits of one worker process make a job last; null if none is known. */
function paceOf(
  { requestsPerMinute, tokensPerMinute }: Pace,
  requests: number,
  tokens: number,
): PlanReport['pace'] {
  if (requestsPerMinute === null && tokensPerMinute === null) return null;
  const minutes = Math.max(
    requestsPerMinute === null ? 0 : requests / requestsPerMinute,
    tokensPerMinute === null ? 0 : tokens / tokensPerMinute,
  );
  return { requestsPerMinute, tokensPerMinute, requests, seconds: Math.ceil(minutes * 60) };
}
