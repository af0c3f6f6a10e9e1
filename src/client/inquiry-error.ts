import { ApplicationFailure } from '@temporalio/common';
import { WorkflowFailedError } from '@temporalio/client';
import { ATTEMPT_ENDS, Fault, FAULTS, InputError, isFaultCode } from '../errors.ts';

/** Failure type of an {@link InputError} that an inquiry throws on a worker. */
export const INPUT_ERROR = 'InputError';

/** A question that got no answer, under a code of docs/errors.md where an adapter could explain why. */
export class InquiryError extends Error {
  override readonly name = 'InquiryError';
  /** A fault's code, `interrupted`, `no_worker`, `unknown_inquiry`, `timed_out` or `unexpected`. */
  readonly code: string;

  readonly #exitCode: number | null;

  /** @param options.exitCode where the code does not tell it */
  constructor(code: string, message: string, options: { cause?: unknown; exitCode?: number } = {}) {
    super(message, options);
    this.code = code;
    this.#exitCode = options.exitCode ?? null;
  }

  /** Of the process: 2 if the settings have to change, 130 after Ctrl-C and its like after signals, 1 otherwise. */
  get exitCode(): number {
    if (this.#exitCode !== null) return this.#exitCode;
    if (this.code === 'interrupted') return 130;
    return isFaultCode(this.code) && FAULTS[this.code].kind === 'halting' ? 2 : 1;
  }
}

/** Whoever asked has pressed Ctrl-C. @param exitCode after another signal */
export function interrupted(exitCode = 130): InquiryError {
  return new InquiryError(
    'interrupted',
    'Interrupted; nothing was changed, and at most one input was paid.',
    { exitCode },
  );
}

/** The failure of an inquiry, on a worker or in this process, for the one who asked; other errors as they are. */
export function asInquiryError(error: unknown): unknown {
  const reason = rootOf(error);
  if (reason instanceof Fault) return explained(reason.code, reason.message, error);
  if (!(reason instanceof ApplicationFailure)) {
    if (!(error instanceof WorkflowFailedError)) return error;
    const { name } = (error.cause ?? error) as Error;
    return name === 'CancelledFailure' || name === 'TerminatedFailure'
      ? new InquiryError('interrupted', 'The question was withdrawn in Temporal; ask again.', {
          cause: error,
        })
      : new InquiryError('timed_out', 'No answer came in time; see the log of the worker.', { cause: error });
  }
  if (reason.type === INPUT_ERROR) return new InputError(reason.message.split('\n'));
  if (isFaultCode(reason.type)) return explained(reason.type, reason.message, error);
  if (reason.type === ATTEMPT_ENDS.noProgress || reason.type === ATTEMPT_ENDS.workerShutdown) {
    return new InquiryError('timed_out', `${reason.message} Ask again.`, { cause: error });
  }
  return new InquiryError('unexpected', reason.message, { cause: error });
}

function explained(code: string, message: string, cause: unknown): InquiryError {
  const isTransient = isFaultCode(code) && FAULTS[code].kind === 'transient';
  const rest = isTransient ? ' It did not recover while the question waited; ask again later.' : '';
  return new InquiryError(code, `${message}${rest}`, { cause });
}

/** Temporal wraps the reason: workflow failed, activity failed, application failure. */
function rootOf(error: unknown): unknown {
  let reason = error;
  while (reason instanceof Error && !(reason instanceof ApplicationFailure) && !(reason instanceof Fault)) {
    if (reason.cause === undefined) return reason;
    reason = reason.cause;
  }
  return reason;
}
