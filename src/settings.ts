import { z } from 'zod';
import { numberSetting } from './number-setting.ts';

/** How jobs are cut and repeated; the keys are the names of the environment variables. */
export const jobSettings = z.object({
  BATCH_SIZE: numberSetting({ min: 1, max: 1_000 }).default(100).describe('Records of a batch.'),
  MAX_WORKERS: numberSetting({ min: 1, max: 500 })
    .default(5)
    .describe('Concurrency of new jobs: batches in hand at once over all worker processes.'),
  MAX_RETRIES: numberSetting({ min: 0, max: 100 })
    .default(3)
    .describe(
      'How often a batch is repeated after an unexplained error; outages are waited out without limit.',
    ),
  WORKER_POLL_INTERVAL: numberSetting({ min: 0, max: 3_600, whole: false })
    .default(1)
    .describe(
      'Accepted for compatibility and without effect: Temporal long-polls, a worker gets a batch at once.',
    ),
  WORKER_HEARTBEAT_INTERVAL: numberSetting({ min: 0.5, max: 600, whole: false })
    .default(30)
    .describe(
      'Seconds between the heartbeats of a batch; after twice as long without one it runs elsewhere.',
    ),
  BATCH_TIMEOUT_MINUTES: numberSetting({ min: 0.1, max: 1_440, whole: false })
    .default(10)
    .describe('A batch without progress for this long, outside declared waits, starts again.'),
  PATIENCE_HOURS: numberSetting({ min: 0.001, max: 720, whole: false })
    .default(24)
    .describe('How long a service may be out before the job pauses with the reason.'),
  CHUNK_PARENT_TOKENS: numberSetting({ min: 8, max: 8_000 })
    .default(1_024)
    .describe('Longest parent in cl100k_base tokens.'),
  CHUNK_CHILD_TOKENS: numberSetting({ min: 4, max: 8_000 })
    .default(256)
    .describe('Longest child in cl100k_base tokens.'),
  CHUNK_OVERLAP_TOKENS: numberSetting({ min: 0, max: 4_000 })
    .default(32)
    .describe('Tokens that neighbouring children share at most.'),
});

/** How one worker process behaves; it does not shape what a job writes. */
export const workerSettings = z.object({
  WORKER_SLOTS: numberSetting({ min: 1, max: 200 })
    .default(8)
    .describe('Batches that one worker process takes at once.'),
  WORKER_MEMORY_MB: numberSetting({ min: 1, max: 1_000_000 })
    .default(512)
    .describe(
      'Megabytes that rows above 1 MiB may take at once in one worker process; further ones wait for their turn.',
    ),
  WORKER_CACHED_WORKFLOWS: numberSetting({ min: 2, max: 10_000 })
    .default(200)
    .describe('Workflows that one worker process keeps in memory.'),
  WORKER_SHUTDOWN_SECONDS: numberSetting({ min: 0, max: 3_600 })
    .default(10)
    .describe('Seconds that batches in hand get to finish at shutdown before they hand over.'),
  WORKER_METRICS_ADDRESS: z
    .string()
    .regex(/^\[?[\w.:]+\]?:\d+$/, { error: 'expected host:port such as 127.0.0.1:9464' })
    .optional()
    .describe('Where the worker serves Prometheus metrics; unset, nowhere.'),
  WORKER_LOG_LEVEL: z
    .enum(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR'], {
      error: 'expected TRACE, DEBUG, INFO, WARN or ERROR',
    })
    .default('INFO')
    .describe('Least severity that the worker logs, to stderr.'),
});

/** What commands need beyond the servers themselves. */
export const clientSettings = z.object({
  TEMPORAL_UI_URL: z
    .url({ protocol: /^https?$/, error: 'expected a URL such as http://127.0.0.1:8233' })
    .optional()
    .describe(
      'Address of the Temporal UI, for links; unset: Temporal Cloud’s own, or port 8233 beside a local server on 7233.',
    ),
});

export type WorkerSettings = z.infer<typeof workerSettings>;
