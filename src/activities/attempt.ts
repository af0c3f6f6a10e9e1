import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { ActivityCancelledError, ActivityPausedError, ActivityResetError } from '@temporalio/client';
import { ATTEMPT_ENDS, Fault } from '../errors.ts';
import type { BatchHeartbeat } from '../job/job.ts';
import type { JobSpecification } from '../job/specification.ts';
import type { WritingAttempt } from '../reconcile/patience.ts';
import { Lease } from './lease.ts';
import { LossWatch } from './loss-watch.ts';

/** A server that is asked for its word has this long; then it is asked again. */
const ANSWER_MS = 5_000;

/**
 * Runs the work of an activity under Temporal's rules: heartbeats on a timer while it proceeds or waits for a declared
 * reason, a watchdog for the rest, a lease for writes, and faults translated into failures that the workflows
 * understand. Durations are taken from a monotonic clock: a machine's time may be set while an attempt runs.
 *
 * @param work gets a {@link WritingAttempt}; it may throw {@link Fault}s
 * @throws ApplicationFailure whose type is the fault's code, non-retryable; retryable WorkerShutdown, NoProgress or
 * LeaseLost
 * @throws CancelledFailure if the workflow was cancelled
 */
export async function runAttempt<T>(
  specification: JobSpecification,
  work: (attempt: WritingAttempt) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const stalled = new AbortController();
  const { attempt: number, taskToken } = context.info;
  const left = context.info.heartbeatDetails as BatchHeartbeat | undefined;
  const losses = new LossWatch(number, left?.losses, () => {
    // Before the awaited one, or an older one that the SDK still holds back would be the last.
    beat();
    return lease.renew();
  });
  let waiting: BatchHeartbeat['waiting'] = null;
  let lastProgress = performance.now();

  const details = (): BatchHeartbeat => ({ waiting, losses: losses.report(waiting !== null) });
  const ask = async (): Promise<void> => {
    const { client } = context;
    await client.withDeadline(Date.now() + ANSWER_MS, () => client.activity.heartbeat(taskToken, details()));
  };
  const lease = new Lease(
    async () => {
      lastProgress = performance.now();
      await ask().catch(unlessItEnds);
    },
    specification.heartbeatIntervalMs,
    { signal: stalled.signal, stop: context.cancellationSignal },
    (error) => {
      const reason = error instanceof Error ? error.message : String(error);
      context.log.warn('Temporal does not confirm this attempt; nothing is written until it does', {
        reason,
      });
    },
  );

  const beat = (): void => {
    if (waiting === null && performance.now() - lastProgress > specification.batchTimeoutMs) {
      stalled.abort(
        ApplicationFailure.retryable(
          `Nothing succeeded for ${specification.batchTimeoutMs / 60_000} minutes (BATCH_TIMEOUT_MINUTES).`,
          ATTEMPT_ENDS.noProgress,
        ),
      );
      return;
    }
    context.heartbeat(details());
  };
  const timer = setInterval(beat, specification.heartbeatIntervalMs);

  const attempt: WritingAttempt = {
    signal: stalled.signal,
    stop: context.cancellationSignal,
    patienceMs: specification.patienceMs,
    progressed: () => {
      lastProgress = performance.now();
    },
    waiting: (reason) => {
      lastProgress = performance.now();
      if (reason === null) waiting = null;
      else if (waiting?.reason !== reason) waiting = { reason, since: new Date().toISOString() };
      else return;
      beat();
    },
    fence: () => lease.hold(),
    awaiting: async (request) => {
      losses.awaits(1);
      beat();
      try {
        // Where a loss may fail a record, it has to be known for certain that nobody worked on it.
        if (losses.suspicion !== null) await lease.renew();
        return await request();
      } finally {
        losses.awaits(-1);
        beat();
      }
    },
    advanced: () => {
      if (losses.advance()) beat();
    },
    suspicion: losses.suspicion,
  };
  try {
    beat();
    // Should this attempt end in its first moment, the next one still has to know that there was one.
    if (number > 1) await lease.renew();
    return await raced(work(attempt), stalled.signal);
  } catch (error) {
    const failure = asFailure(error, context);
    if (isHandover(failure)) {
      losses.end();
      // The SDK sends it along with the failure.
      context.heartbeat(details());
    }
    throw failure;
  } finally {
    clearInterval(timer);
  }
}

const ENDINGS = [ActivityCancelledError, ActivityPausedError, ActivityResetError];

/** The server knows the attempt, even one that it wants to end: what it has in hand may be written. */
function unlessItEnds(error: unknown): void {
  if (ENDINGS.some((ending) => error instanceof ending)) return;
  throw error;
}

function isHandover(failure: unknown): boolean {
  return failure instanceof ApplicationFailure && failure.type === ATTEMPT_ENDS.workerShutdown;
}

/** A call that hangs must not keep a stalled attempt alive. */
async function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  work.catch(() => undefined);
  return Promise.race([work, aborted]);
}

function asFailure(error: unknown, context: Context): unknown {
  const cancelled = context.cancellationSignal.aborted;
  if (cancelled && (error instanceof CancelledFailure || isAbort(error))) {
    if (context.cancellationDetails?.workerShutdown === true) {
      return ApplicationFailure.retryable(
        'The worker shuts down; another goes on with what is left.',
        ATTEMPT_ENDS.workerShutdown,
      );
    }
    return error;
  }
  if (error instanceof Fault) return ApplicationFailure.nonRetryable(error.message, error.code);
  if (error instanceof ApplicationFailure) return error;
  // The message of an unknown error may quote a row, so it stays in the worker's memory; its class and place do not.
  const { name, stack } = error instanceof Error ? error : new Error(String(error));
  const place = stack?.split('\n').find((line) => line.trim().startsWith('at '));
  context.log.error('An unexpected error ended the attempt', { error: name, place: place?.trim() });
  return ApplicationFailure.nonRetryable(
    `An unexpected ${name}${place ? ` ${place.trim()}` : ''}`,
    'unexpected',
  );
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
