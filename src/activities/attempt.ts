import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { ATTEMPT_ENDS, Fault } from '../errors.ts';
import type { BatchHeartbeat } from '../job/job.ts';
import type { JobSpecification } from '../job/specification.ts';
import type { Attempt } from '../reconcile/patience.ts';

/**
 * Runs the work of an activity under Temporal's rules: heartbeats on a timer while it proceeds or waits for a declared
 * reason, a watchdog for the rest, and faults translated into failures that the workflows understand.
 *
 * @param work gets an {@link Attempt}; it may throw {@link Fault}s
 * @throws ApplicationFailure whose type is the fault's code, non-retryable; retryable WorkerShutdown or NoProgress
 * @throws CancelledFailure if the workflow was cancelled
 */
export async function runAttempt<T>(
  specification: JobSpecification,
  work: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const context = Context.current();
  const stalled = new AbortController();
  let waiting: BatchHeartbeat['waiting'] = null;
  let lastProgress = Date.now();

  const beat = (): void => {
    if (waiting === null && Date.now() - lastProgress > specification.batchTimeoutMs) {
      stalled.abort(
        ApplicationFailure.retryable(
          `Nothing succeeded for ${specification.batchTimeoutMs / 60_000} minutes (BATCH_TIMEOUT_MINUTES).`,
          ATTEMPT_ENDS.noProgress,
        ),
      );
      return;
    }
    context.heartbeat({ waiting } satisfies BatchHeartbeat);
  };
  const timer = setInterval(beat, specification.heartbeatIntervalMs);
  beat();

  const attempt: Attempt = {
    signal: stalled.signal,
    stop: context.cancellationSignal,
    patienceMs: specification.patienceMs,
    progressed: () => {
      lastProgress = Date.now();
    },
    waiting: (reason) => {
      lastProgress = Date.now();
      if (reason === null) waiting = null;
      else if (waiting?.reason !== reason) waiting = { reason, since: new Date().toISOString() };
      else return;
      beat();
    },
  };
  try {
    return await raced(work(attempt), stalled.signal);
  } catch (error) {
    throw asFailure(error, context);
  } finally {
    clearInterval(timer);
  }
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
