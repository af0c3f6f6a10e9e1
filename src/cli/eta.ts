/** A moment of a job's progress. */
interface Sample {
  readonly atMs: number;
  readonly records: number;
}

/** Rates look back this far. */
const WINDOW_MS = 60_000;
/** No ETA before this share of the records and this long: it would be a guess. */
const HONEST_SHARE = 0.02;
const HONEST_MS = 10_000;

/** Measures a job's pace from the snapshots that a follower sees. */
export class Pace {
  readonly #samples: Sample[] = [];

  add(atMs: number, records: number): void {
    this.#samples.push({ atMs, records });
    while (this.#samples.length > 2 && (this.#samples[1]?.atMs ?? 0) < atMs - WINDOW_MS)
      this.#samples.shift();
  }

  /** Records a second over the last minute; null until there is something to measure. */
  get recordsPerSecond(): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < 2_000) return null;
    return ((last.records - first.records) * 1_000) / (last.atMs - first.atMs);
  }

  /** Seconds to the end at this pace; null while that would not be honest. */
  etaSeconds(total: number): number | null {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    const rate = this.recordsPerSecond;
    if (first === undefined || last === undefined || rate === null || rate <= 0) return null;
    if (last.records < total * HONEST_SHARE || last.atMs - first.atMs < HONEST_MS) return null;
    return Math.max(0, (total - last.records) / rate);
  }
}

/** `1 h 05 min`, `4 min`, `20 s`. */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}
