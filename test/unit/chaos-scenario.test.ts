import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DRAWS, KILLS } from '../chaos/fault-draws.ts';
import { chaosOptions, FlagError } from '../chaos/options.ts';
import type { RoundReport } from '../chaos/round-report.ts';
import { drawScenario } from '../chaos/scenario.ts';
import { ranges, table } from '../chaos/table.ts';
import { killOf, kindsOf, ROUNDS } from '../chaos/ten-rounds.ts';

const LONGEST_MS = 45_000;
const seeds = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

describe('rounds of chaos', () => {
  it('follow from their seed', () => {
    assert.deepEqual(drawScenario(7, { longestMs: LONGEST_MS }), drawScenario(7, { longestMs: LONGEST_MS }));
    assert.notDeepEqual(
      drawScenario(7, { longestMs: LONGEST_MS }).faults,
      drawScenario(8, { longestMs: LONGEST_MS }).faults,
    );
  });

  it('begin with a kill, and draw every kind about equally often', () => {
    const rounds = seeds(2_000).map((seed) => drawScenario(seed, { longestMs: LONGEST_MS }));
    const counts = new Map<string, number>();
    for (const { faults } of rounds) {
      assert.ok(Object.hasOwn(KILLS, faults[0]?.kind ?? ''));
      for (const { kind } of faults.slice(1)) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    const all = [...counts.values()];
    assert.equal(all.length, Object.keys(DRAWS).length);
    assert.ok(Math.max(...all) < 2 * Math.min(...all), JSON.stringify([...counts]));
  });

  it('have faults of at most 45 s, 20 s on average', () => {
    const durations = seeds(2_000)
      .flatMap((seed) => drawScenario(seed, { longestMs: LONGEST_MS }).faults)
      .map(({ durationMs }) => durationMs);
    const mean = durations.reduce((sum, duration) => sum + duration) / durations.length;
    assert.ok(Math.max(...durations) <= LONGEST_MS);
    assert.ok(mean > 19_000 && mean < 21_000, String(mean));
  });

  it('leave out what cannot be played', () => {
    const kinds = seeds(500).flatMap((seed) =>
      drawScenario(seed, { longestMs: LONGEST_MS, without: ['full disk'] }).faults.map(({ kind }) => kind),
    );
    assert.ok(!kinds.includes('full disk'));
    assert.throws(() => drawScenario(1, { longestMs: LONGEST_MS, kinds: ['rain'] }), /no fault 'rain'/);
  });

  it('ten of them, as in npm test, have every kind of fault', () => {
    const played = seeds(ROUNDS).flatMap((_, round) => [killOf(round), ...kindsOf(round)]);
    assert.deepEqual([...new Set(played)].sort(), Object.keys(DRAWS).sort());
  });
});

describe('flags of npm run chaos', () => {
  it('have defaults', () => {
    assert.deepEqual(chaosOptions([]), {
      rounds: 10,
      seed: 1,
      minutes: 600,
      longestMs: 45_000,
      json: undefined,
      kinds: undefined,
      help: false,
    });
  });

  for (const args of [
    ['--rounds', '0'],
    ['--rounds', '1.5'],
    ['--seed', ''],
    ['--longest', '46'],
    ['--minutes', 'x'],
    ['--what'],
    ['more'],
    ['--faults', 'deadlock,rain'],
  ]) {
    it(`refuses ${args.join(' ')} with a sentence`, () => {
      assert.throws(() => chaosOptions(args), FlagError);
    });
  }
});

function report(seed: number, kinds: readonly string[], missing = 0): RoundReport {
  const tally = (count: number) => ({ count, examples: [] });
  return {
    scenario: drawScenario(seed, { longestMs: LONGEST_MS }),
    faults: kinds.map((kind, index) => ({ kind, at: 0, durationMs: 1, hit: index === 0, detail: '' })),
    findings: missing > 0 ? ['something'] : [],
    warnings: [],
    audit: { missing: tally(missing), extra: tally(0), wrong: tally(0) } as unknown as RoundReport['audit'],
    halts: [],
    runs: 1,
    writes: 0,
    inputs: 12,
    distinct: 10,
    cap: { inHand: 3, lost: 1 },
    seconds: 1,
  };
}

describe('the table of faults and outcomes', () => {
  it('has a line for each kind, with sums over its rounds', () => {
    const text = table([
      report(3, ['worker SIGKILL', 'deadlock', 'deadlock']),
      report(4, ['worker SIGKILL'], 2),
    ]);
    assert.match(text, /^\| worker SIGKILL \| 2 \| 2 \| 2 \| 2 \| 0 \| 0 \| 4 \| 8 \|$/m);
    assert.match(text, /^\| deadlock \| 2 \| 0 \| 1 \| 0 \| 0 \| 0 \| 2 \| 4 \|$/m);
    assert.match(text, /^\| full disk \| not run \|/m);
    assert.match(text, /^\| \*\*all\*\* \| 4 \| 2 \| 2 \|/m);
    assert.match(text, /2 rounds, 2 kills that met work, 1 rounds with a finding \(seeds 4\)/);
    assert.match(text, /Seeds: 3–4\./);
  });

  it('names seeds in ranges', () => {
    assert.equal(ranges([5, 1, 2, 3, 9, 9, 7]), '1–3, 5, 7, 9');
  });
});
