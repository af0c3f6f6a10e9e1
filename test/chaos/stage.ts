import type { Arena } from './arena.ts';
import type { Crew } from './crew.ts';

/** What a fault may use. */
export interface Stage {
  readonly arena: Arena;
  readonly crew: Crew;
  /** Time that each answer of the embeddings server takes. */
  readonly latencyMs: number;
  /** After an outage of Temporal: until attempts that it has given up have noticed, and others have begun. */
  readonly settleMs: number;
  /** Aborted when nobody is hired any more. */
  readonly signal: AbortSignal;
  /** Waits until there are batches in hand, and sees to it that there is something to do. @returns how many there are */
  work(patienceMs: number): Promise<number>;
}
