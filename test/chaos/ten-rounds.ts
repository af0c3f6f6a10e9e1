import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Arena } from './arena.ts';
import { DRAWS, KILLS } from './fault-draws.ts';
import { roundLine } from './round-report.ts';
import { playRound } from './round.ts';
import { drawScenario } from './scenario.ts';

/** Rounds in `npm test`, in two files that run beside each other. */
export const ROUNDS = 10;
const LONGEST_MS = 3_000;
const MOST_ROWS = 120;

/** The faults of a round beside its kill: over all rounds each kind comes once. */
export function kindsOf(round: number): string[] {
  const others = Object.keys(DRAWS).filter((kind) => !Object.hasOwn(KILLS, kind));
  return others.filter((_, index) => index % ROUNDS === round);
}

/** The kill that a round begins with: nine kinds in ten rounds. */
export function killOf(round: number): string {
  const kills = Object.keys(KILLS);
  return kills[round % kills.length] ?? '';
}

/** Declares the tests of some rounds with fixed seeds, played on a stack of their own. */
export function describeRounds(rounds: readonly number[]): void {
  describe('rounds of chaos with fixed seeds', () => {
    let arena: Arena;
    before(async () => {
      arena = await Arena.open();
    });
    after(() => arena.close());

    for (const round of rounds) {
      it(`seed ${round + 1}: ${[killOf(round), ...kindsOf(round)].join(', ')}`, async (context) => {
        const report = await playRound(
          arena,
          drawScenario(round + 1, {
            longestMs: LONGEST_MS,
            mostRows: MOST_ROWS,
            kill: killOf(round),
            kinds: kindsOf(round).filter((kind) => !arena.impossible.includes(kind)),
          }),
        );
        context.diagnostic(roundLine(report));
        assert.deepEqual(report.findings, []);
      });
    }
  });
}
