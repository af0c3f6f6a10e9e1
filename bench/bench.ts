/** What a bench came to. */
export interface BenchResult {
  /** Sentences on what was not as it should be; empty: all bounds hold. */
  readonly findings: readonly string[];
  /** Every figure, as JSON. */
  readonly report: unknown;
}

/**
 * Measures something, and prints a line for each case as soon as it has ended.
 *
 * @param only the one case to run; all if left out
 */
export type Bench = (only?: string) => Promise<BenchResult>;
