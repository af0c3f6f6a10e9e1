import type { AuditReport } from '../support/audit.ts';
import type { Infliction } from './fault.ts';
import type { Scenario } from './scenario.ts';

/** A fault of a round, and whether it met work. */
export interface PlayedFault extends Infliction {
  readonly kind: string;
  /** Milliseconds since the first run was started. */
  readonly at: number;
  readonly durationMs: number;
}

/** What became of a round. */
export interface RoundReport {
  readonly scenario: Scenario;
  readonly faults: readonly PlayedFault[];
  /** Sentences; empty if nothing was lost, doubled, wrong or paid in vain. */
  readonly findings: readonly string[];
  /** Of the workers, if there are findings. */
  readonly warnings: readonly string[];
  readonly audit: AuditReport | null;
  /** Codes of the faults that paused the job until it was resumed. */
  readonly halts: readonly string[];
  readonly runs: number;
  readonly writes: number;
  /** Inputs paid, and of them distinct: the necessary ones. */
  readonly inputs: number;
  readonly distinct: number;
  /** How many more may be paid: in hand at kills and outages, and of answers that were spoilt or lost on their way. */
  readonly cap: { readonly inHand: number; readonly lost: number };
  readonly seconds: number;
}

/** Inputs that were paid again, and how many may be. */
export function paidAgain({ inputs, distinct, cap }: RoundReport): { beyond: number; cap: number } {
  return { beyond: inputs - distinct, cap: cap.inHand + cap.lost };
}

/** Kills of a round that met work. */
export function killsThatHit({ faults }: RoundReport): number {
  return faults.filter(({ kind, hit }) => hit && kind.endsWith('SIGKILL')).length;
}

/** A round on one line. */
export function roundLine(report: RoundReport): string {
  const { scenario, faults, findings, audit, halts, runs, writes, distinct, seconds } = report;
  const { beyond, cap } = paidAgain(report);
  const played = faults.map(
    ({ kind, at, durationMs, hit }) =>
      `${kind}@${(at / 1_000).toFixed(1)}+${(durationMs / 1_000).toFixed(1)}${hit ? '' : ' (missed)'}`,
  );
  return [
    `${findings.length === 0 ? 'ok  ' : 'BAD '} seed ${scenario.seed}: ${audit?.rows ?? '?'} rows, ${audit?.points ?? '?'} points`,
    `${runs} runs, ${writes} writes`,
    `${distinct} inputs necessary, ${beyond} beyond, cap ${cap}`,
    `${killsThatHit(report)} kills that met work`,
    ...(halts.length > 0 ? [`paused by ${halts.join(', ')}`] : []),
    played.join(', '),
    `${seconds.toFixed(0)} s`,
  ].join('; ');
}
