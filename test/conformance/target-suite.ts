import type { TargetBench } from './target-bench.ts';
import { examineChecks } from './target-examine-checks.ts';
import { prepareChecks } from './target-prepare-checks.ts';
import { recordChecks } from './target-record-checks.ts';
import { scanChecks } from './target-scan-checks.ts';
import { searchChecks } from './target-search-checks.ts';
import { writeChecks } from './target-write-checks.ts';

/** Behaviours of a {@link Target} that the product relies on, by name; each fails by throwing. */
export type TargetChecks = Readonly<Record<string, (bench: TargetBench) => Promise<void>>>;

/** All of them. Each uses collections or owners of its own, so any may run alone and in any order. */
export const TARGET_SUITE: TargetChecks = {
  ...prepareChecks,
  ...scanChecks,
  ...writeChecks,
  ...searchChecks,
  ...recordChecks,
  ...examineChecks,
};
