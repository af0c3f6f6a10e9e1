import type { ServiceName } from '../../src/stack/service.ts';
import { Random } from './random.ts';

/** What is done to the system; `at` is in milliseconds since the first job was started. */
export type Fault = { readonly at: number; readonly durationMs: number } & (
  | { readonly kind: 'worker-kill' | 'worker-term' | 'worker-stop' | 'all-workers-kill' }
  | { readonly kind: 'server-kill'; readonly services: readonly ServiceName[] }
  | { readonly kind: 'embeddings'; readonly behaviour: Readonly<Record<string, unknown>> }
  | { readonly kind: 'qdrant'; readonly fault: Readonly<Record<string, unknown>> }
  | { readonly kind: 'connections-cut' }
);

/** How a run of the job is cut. */
export interface Cut {
  readonly batchSize: number;
  readonly concurrency: number;
}

/** A round: everything that happens in it follows from its seed. */
export interface Scenario {
  readonly seed: number;
  readonly rows: number;
  readonly workers: number;
  readonly slots: number;
  readonly heartbeatSeconds: number;
  readonly latencyMs: number;
  /** Of the runs, one after the other; the last is repeated. */
  readonly cuts: readonly Cut[];
  readonly faults: readonly Fault[];
  /** Writes a second to the table while faults last. */
  readonly writesPerSecond: number;
}

const SERVERS: readonly ServiceName[] = [
  'temporal',
  'mariadb',
  'qdrant',
  'postgrest',
  'postgres',
  'embeddings',
];

/** Faults of a round; the first is always a kill. */
const MOST_FAULTS = 4;

/**
 * Draws a round.
 *
 * @param longestFaultMs the longest fault; their durations are drawn from an exponential tail below it
 */
export function drawScenario(seed: number, longestFaultMs: number): Scenario {
  const random = new Random(seed);
  const rows = random.int(60, 400);
  const scenario = {
    seed,
    rows,
    workers: random.int(1, 3),
    slots: random.int(1, 8),
    heartbeatSeconds: random.pick([0.5, 1, 2]),
    latencyMs: random.int(100, 1_200),
    cuts: Array.from({ length: random.int(1, 3) }, () => ({
      batchSize: random.int(3, 60),
      concurrency: random.int(1, 6),
    })),
    writesPerSecond: random.chance(0.7) ? random.int(1, 20) : 0,
  };
  let at = random.int(300, 2_500);
  const faults: Fault[] = [];
  for (let index = random.int(1, MOST_FAULTS); index > 0; index--) {
    const fault = drawFault(random, at, longestFaultMs, faults.length === 0);
    faults.push(fault);
    // Faults may overlap.
    at += random.int(200, fault.durationMs + 3_000);
  }
  return { ...scenario, faults };
}

function drawFault(random: Random, at: number, longestMs: number, mustKill: boolean): Fault {
  const durationMs = Math.round(Math.min(longestMs, 500 - Math.log(1 - random.next()) * (longestMs / 3)));
  const base = { at, durationMs };
  const roll = random.next() * (mustKill ? 0.6 : 1);
  if (roll < 0.25) return { ...base, kind: 'worker-kill' };
  if (roll < 0.32) return { ...base, kind: 'all-workers-kill' };
  if (roll < 0.6) return { ...base, kind: 'server-kill', services: someServers(random) };
  if (roll < 0.68) return { ...base, kind: 'worker-term' };
  if (roll < 0.78) return { ...base, kind: 'worker-stop' };
  if (roll < 0.88) return { ...base, kind: 'embeddings', behaviour: drawBehaviour(random) };
  if (roll < 0.97) return { ...base, kind: 'qdrant', fault: drawTargetFault(random) };
  return { ...base, kind: 'connections-cut' };
}

function someServers(random: Random): ServiceName[] {
  const wanted = random.chance(0.75) ? 1 : random.int(2, SERVERS.length);
  const left = [...SERVERS];
  return Array.from(
    { length: wanted },
    () => left.splice(random.int(0, left.length - 1), 1)[0] as ServiceName,
  );
}

function drawBehaviour(random: Random): Record<string, unknown> {
  return random.pick<() => Record<string, unknown>>([
    () => ({ rpm: random.int(10, 60) }),
    () => ({ rpm: random.int(10, 60), retryAfter: false }),
    () => ({ tpm: random.int(20_000, 60_000) }),
    () => ({ outage: '500' }),
    () => ({ outage: '503' }),
    () => ({ outage: 'reset' }),
    () => ({ latencyMs: random.int(2_000, 8_000) }),
  ])();
}

/** `after`: the request is executed, and its answer lost. */
function drawTargetFault(random: Random): Record<string, unknown> {
  return {
    status: random.pick([500, 503, 429]),
    count: random.int(1, 5),
    after: random.chance(0.5),
    paths: random.pick(['', 'points']),
  };
}
