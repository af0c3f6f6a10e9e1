/**
 * Everything that can go wrong with a record, a batch or a job, under a stable code. A code is the `type` of the
 * Temporal failure, the `code` in the ledger and a heading in docs/errors.md. Adapters translate their driver's errors
 * into these (`<adapter>/errors.ts`); messages never carry secrets or row content.
 */

/**
 * What a fault means for the work in hand.
 * - `record`: this record is listed as failed, its batch goes on.
 * - `transient`: the call is repeated until it works or the job's patience ends; an outage is never a failure.
 * - `halting`: the job pauses with the reason; nothing counts as failed.
 * - `unexplained`: the batch is repeated at most `maxRetries` times, then it fails visibly.
 */
export type FaultKind = 'record' | 'transient' | 'halting' | 'unexplained';

/** Where in a record's way from source to target a fault arose. */
export type FaultStage = 'read' | 'chunk' | 'embed' | 'write' | 'ledger' | 'batch';

interface FaultEntry {
  readonly kind: FaultKind;
  readonly stage: FaultStage;
  /** One sentence for people; the adapters add what they know (status, setting), never row content. */
  readonly message: string;
}

/** Stable codes; a retired code is never used for something else. */
export const FAULTS = {
  content_too_large: {
    kind: 'record',
    stage: 'read',
    message: 'The content is larger than MAX_CONTENT_BYTES (16 MiB); shorten or split the row.',
  },
  content_invalid: {
    kind: 'record',
    stage: 'read',
    message: 'The content is not text in a valid encoding; repair the row.',
  },
  embedding_refused: {
    kind: 'record',
    stage: 'embed',
    message: 'The embedding service refuses a text of this record.',
  },
  worker_lost: {
    kind: 'record',
    stage: 'batch',
    message:
      'Workers were lost again and again while they worked on this record; look for crashes in their logs.',
  },

  source_unavailable: {
    kind: 'transient',
    stage: 'read',
    message:
      'The source database does not answer; it is tried again. If that lasts, check MYSQL_HOST, MYSQL_PORT and the network.',
  },
  embedding_unavailable: {
    kind: 'transient',
    stage: 'embed',
    message:
      'The embedding service does not answer; it is tried again. If that lasts, check OPENAI_BASE_URL and the network.',
  },
  embedding_rate_limited: {
    kind: 'transient',
    stage: 'embed',
    message: 'The embedding service asks for a slower pace; it is tried again when it allows.',
  },
  target_unavailable: {
    kind: 'transient',
    stage: 'write',
    message: 'Qdrant does not answer; it is tried again. If that lasts, check QDRANT_URL and the network.',
  },
  target_overloaded: {
    kind: 'transient',
    stage: 'write',
    message: 'Qdrant asks for a slower pace; it is tried again when it allows.',
  },
  ledger_unavailable: {
    kind: 'transient',
    stage: 'ledger',
    message:
      'Supabase does not answer; the ledger catches up later. If that lasts, check SUPABASE_URL and the network.',
  },

  source_access_denied: {
    kind: 'halting',
    stage: 'read',
    message:
      'The source database refuses the login or the table; check MYSQL_USER, MYSQL_PASSWORD, its grants, and MYSQL_TLS if the account demands TLS.',
  },
  source_table_missing: {
    kind: 'halting',
    stage: 'read',
    message:
      'The source has no such database, table or column; check MYSQL_DATABASE, MYSQL_TABLE and the column names.',
  },
  source_misconfigured: {
    kind: 'halting',
    stage: 'read',
    message:
      'The source cannot be read with these settings; check MYSQL_TLS, MYSQL_TABLE, the column names and MYSQL_FILTER.',
  },
  embedding_access_denied: {
    kind: 'halting',
    stage: 'embed',
    message: 'The embedding service refuses the key; check OPENAI_API_KEY and its permissions.',
  },
  embedding_model_missing: {
    kind: 'halting',
    stage: 'embed',
    message:
      'The embedding service has no such model or address; check OPENAI_EMBEDDING_MODEL and OPENAI_BASE_URL.',
  },
  embedding_quota_exhausted: {
    kind: 'halting',
    stage: 'embed',
    message: 'The quota of the embedding service is used up; add credit, then resume.',
  },
  embedding_refuses_everything: {
    kind: 'halting',
    stage: 'embed',
    message: 'The embedding service refuses even a one-word probe; check the model and its options.',
  },
  embedding_wrong_dimensions: {
    kind: 'halting',
    stage: 'embed',
    message:
      'The embedding service does not give vectors of OPENAI_EMBEDDING_DIMENSIONS for this model; set a length that the model has.',
  },
  target_access_denied: {
    kind: 'halting',
    stage: 'write',
    message: 'Qdrant refuses the key; check QDRANT_API_KEY and its permissions.',
  },
  target_collection_missing: {
    kind: 'halting',
    stage: 'write',
    message:
      'The collection is gone; restore it, or cancel the job and start it again, which creates a new one.',
  },
  target_incompatible: {
    kind: 'halting',
    stage: 'write',
    message:
      'The collection does not fit the job, and nothing was written to it; choose another QDRANT_COLLECTION_NAME, or settings that fit.',
  },
  target_refused: {
    kind: 'halting',
    stage: 'write',
    message:
      'Qdrant refuses a request as malformed or against a limit of the collection (strict mode); check QDRANT_URL and these limits.',
  },
  target_storage_full: {
    kind: 'halting',
    stage: 'write',
    message: 'Qdrant has no storage left; add space, then resume.',
  },
  ledger_access_denied: {
    kind: 'halting',
    stage: 'ledger',
    message:
      'Supabase refuses the key; SUPABASE_KEY must be the service-role key of the project in SUPABASE_URL.',
  },
  ledger_schema_missing: {
    kind: 'halting',
    stage: 'ledger',
    message: 'The ledger tables are missing or old; apply supabase/migrations.',
  },
  patience_exhausted: {
    kind: 'halting',
    stage: 'batch',
    message: 'A service did not recover within the patience of the job; repair it, then resume.',
  },

  unexpected: {
    kind: 'unexplained',
    stage: 'batch',
    message: 'An unexpected error; the worker log names its class and place.',
  },
} as const satisfies Record<string, FaultEntry>;

/** A stable code of {@link FAULTS}. */
export type FaultCode = keyof typeof FAULTS;

/** Failure types that end an attempt or a batch but are no fault of a service. */
export const ATTEMPT_ENDS = {
  /** The worker is shutting down; the attempt handed over and runs again elsewhere. */
  workerShutdown: 'WorkerShutdown',
  /** Nothing succeeded for BATCH_TIMEOUT_MINUTES although nothing was waited for. */
  noProgress: 'NoProgress',
  /** The server has given the batch to another attempt, or no longer knows it. */
  leaseLost: 'LeaseLost',
  /** The batch kept failing for a reason that no adapter could explain. */
  batchFailed: 'BatchFailed',
} as const;

/** An error that an adapter could explain. */
export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  /** How long the service asked us to wait, in milliseconds; undefined: back off. */
  readonly retryAfterMs: number | undefined;

  /**
   * @param code stable code
   * @param detail what the adapter knows beyond the code's sentence: a status, a setting's name; never row content
   * @param options.retryAfterMs delay the service asked for, in milliseconds
   */
  constructor(code: FaultCode, detail?: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(detail === undefined ? FAULTS[code].message : `${FAULTS[code].message} (${detail})`, {
      cause: options.cause,
    });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  get kind(): FaultKind {
    return FAULTS[this.code].kind;
  }
}

/** @returns whether `code` names an entry of {@link FAULTS}. */
export function isFaultCode(code: string | null | undefined): code is FaultCode {
  return code !== null && code !== undefined && Object.hasOwn(FAULTS, code);
}

/** Bad input or configuration: the command exits 2 and prints the problems, nothing was started. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly problems: readonly string[];

  /** @param problems one sentence each: the setting or record, what was expected, what to do next */
  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }

  /** What a command prints on standard error. */
  get report(): string {
    return this.problems.join('\n');
  }
}
