import type { ServiceName } from '../../src/stack/service.ts';
import type { Spoiling } from '../../src/stack/embeddings/spoiling.ts';

/** A server that workers reach through a proxy. */
export const LINKS = ['mariadb', 'qdrant', 'embeddings', 'postgrest', 'temporal'] as const;

export type LinkName = (typeof LINKS)[number];

/** What a proxy does to a connection: bytes come later, slowly, or not at all. */
export interface Trouble {
  readonly delayMs?: number;
  readonly bytesPerSecond?: number;
  readonly isBlackHole?: boolean;
}

/** What is done to the system; `at` is in milliseconds since the first job was started. */
export type Fault = {
  /** Faults of a kind are one line of the table. */
  readonly kind: string;
  readonly at: number;
  readonly durationMs: number;
} & (
  | { readonly does: 'worker-kill' | 'worker-term' | 'all-workers-kill' }
  | { readonly does: 'worker-stop' }
  | { readonly does: 'clock-jump'; readonly byMs: number }
  | { readonly does: 'server-kill'; readonly services: readonly ServiceName[] }
  | { readonly does: 'embeddings'; readonly behaviour: Readonly<Record<string, unknown>> }
  | { readonly does: 'spoil'; readonly how: Spoiling; readonly count: number }
  | { readonly does: 'qdrant'; readonly fault: Readonly<Record<string, unknown>> }
  | { readonly does: 'cut'; readonly link: LinkName; readonly everyMs: number }
  | { readonly does: 'trouble'; readonly link: LinkName; readonly trouble: Trouble }
  | { readonly does: 'killed-query' | 'deadlock' | 'locked-table' }
  | { readonly does: 'full-disk'; readonly service: ServiceName }
);

/** What became of a fault. */
export interface Infliction {
  /** Whether it met work: a job was open, and what the fault concerns was in use. */
  readonly hit: boolean;
  /** How that is known, e.g. `3 requests`. */
  readonly detail: string;
}
