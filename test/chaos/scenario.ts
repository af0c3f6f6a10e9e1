import type { Fault } from './fault.ts';
import { DRAWS, KILLS } from './fault-draws.ts';
import { Random } from './random.ts';

/** How a run of the job is cut. */
export interface Cut {
  readonly batchSize: number;
  readonly concurrency: number;
}

/** Workers and slots from then on; who works already keeps its slots. */
export interface CrewChange {
  readonly at: number;
  readonly workers: number;
  readonly slots: number;
}

/** A round: everything that happens in it follows from its seed. */
export interface Scenario {
  readonly seed: number;
  readonly rows: number;
  readonly workers: number;
  readonly slots: number;
  readonly heartbeatSeconds: number;
  /** Time that each answer of the embeddings server takes. */
  readonly latencyMs: number;
  /** Texts in a request at most. */
  readonly maxInputs: number;
  /** Of the runs, one after the other; the last is repeated. */
  readonly cuts: readonly Cut[];
  readonly crewChanges: readonly CrewChange[];
  readonly faults: readonly Fault[];
  /** Writes a second to the table while faults last. */
  readonly writesPerSecond: number;
}

export interface DrawOptions {
  /** No fault lasts longer. */
  readonly longestMs: number;
  /** Kinds that cannot be played here. */
  readonly without?: readonly string[];
  /** @default 400 */
  readonly mostRows?: number;
  /** The kill that the round begins with; drawn unless given. */
  readonly kill?: string;
  /** Faults beside it; drawn unless given. */
  readonly kinds?: readonly string[];
}

/** Faults of a round beside the first. */
const MOST_FURTHER_FAULTS = 4;

/** Draws a round. */
export function drawScenario(seed: number, options: DrawOptions): Scenario {
  const random = new Random(seed);
  const { longestMs, without = [], mostRows = 400 } = options;
  const scenario = {
    seed,
    rows: random.int(60, mostRows),
    workers: random.int(1, 3),
    slots: random.int(1, 8),
    heartbeatSeconds: random.pick([1, 2, 3]),
    latencyMs: random.int(100, 1_200),
    maxInputs: random.pick([16, 64, 2_048]),
    cuts: Array.from({ length: random.int(1, 3) }, () => ({
      batchSize: random.int(3, 60),
      concurrency: random.int(1, 6),
    })),
    writesPerSecond: random.chance(0.7) ? random.int(1, 20) : 0,
  };
  const possible = Object.keys(DRAWS).filter((kind) => !without.includes(kind));
  const kinds = [
    options.kill ?? random.pick(Object.keys(KILLS)),
    ...(options.kinds ??
      Array.from({ length: random.int(1, MOST_FURTHER_FAULTS) }, () => random.pick(possible))),
  ];
  let at = random.int(300, 2_500);
  const faults = kinds.map((kind): Fault => {
    const durationMs = drawDuration(random, longestMs);
    const fault = { kind, at, durationMs, ...(DRAWS[kind] ?? unknownKind(kind))(random) };
    // Faults may overlap.
    at += random.int(200, durationMs + 3_000);
    return fault;
  });
  const crewChanges = Array.from({ length: random.int(0, 2) }, () => ({
    at: random.int(500, at),
    workers: random.int(1, 3),
    slots: random.int(1, 8),
  })).sort((a, b) => a.at - b.at);
  return { ...scenario, crewChanges, faults };
}

/** From half a second to the longest, which about one in seven takes; at 45 s the mean is 20 s. */
function drawDuration(random: Random, longestMs: number): number {
  return Math.round(Math.min(longestMs, 500 - Math.log(1 - random.next()) * (longestMs / 2)));
}

function unknownKind(kind: string): never {
  throw new Error(`there is no fault '${kind}'`);
}
