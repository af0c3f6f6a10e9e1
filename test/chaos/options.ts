import { parseArgs } from 'node:util';
import { DRAWS } from './fault-draws.ts';

/** What the command line asks for. */
export interface ChaosOptions {
  readonly rounds: number;
  readonly seed: number;
  readonly minutes: number;
  readonly longestMs: number;
  readonly json: string | undefined;
  /** Every round has these beside its kill; undefined: drawn. */
  readonly kinds: readonly string[] | undefined;
  readonly help: boolean;
}

export const USAGE = `npm run chaos -- [flags]: migrations under random faults, each judged by the independent audit.

  --rounds N    rounds to play, one seed each (default 10)
  --seed N      the first seed; a round follows from its seed (default 1)
  --minutes N   start no further round after so many minutes (default 600)
  --longest N   the longest fault, in seconds (default 45: 20 on average)
  --faults LIST these faults in every round beside its kill, separated by commas, in the place of drawn ones
  --json FILE   append the report of each round to FILE, one line of JSON each
  --help        this text

Everything runs on a stack of its own on this machine, which is taken down at the end and by Ctrl-C. A full disk is
played where this user may mount a tmpfs. Exit: 0 all rounds are good, 1 one has a finding, 2 a flag is wrong.
Faults: ${Object.keys(DRAWS).join(', ')}.
A table of one or several reports: node test/chaos/table.ts FILE...`;

/** A flag that cannot be used, as a sentence. */
export class FlagError extends Error {
  override readonly name = 'FlagError';
}

/** Reads the command line. @throws FlagError */
export function chaosOptions(args: readonly string[]): ChaosOptions {
  const { values, positionals } = parsed(args);
  if (positionals.length > 0) throw new FlagError(`unknown argument '${positionals[0]}'`);
  return {
    rounds: number('rounds', values.rounds, { min: 1, max: 100_000 }),
    seed: number('seed', values.seed, { min: 0, max: 2 ** 32 - 1 }),
    minutes: number('minutes', values.minutes, { min: 0.1, max: 100_000, isWhole: false }),
    longestMs: number('longest', values.longest, { min: 1, max: 45, isWhole: false }) * 1_000,
    json: values.json,
    kinds: kinds(values.faults),
    help: values.help === true,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '10' },
        seed: { type: 'string', default: '1' },
        minutes: { type: 'string', default: '600' },
        longest: { type: 'string', default: '45' },
        json: { type: 'string' },
        faults: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new FlagError(error instanceof Error ? error.message : String(error));
  }
}

function kinds(list: string | undefined): string[] | undefined {
  const all = list?.split(',').map((kind) => kind.trim());
  const unknown = all?.find((kind) => !Object.hasOwn(DRAWS, kind));
  if (unknown !== undefined) {
    throw new FlagError(`there is no fault '${unknown}': expected some of ${Object.keys(DRAWS).join(', ')}`);
  }
  return all;
}

function number(
  flag: string,
  text: string,
  { min, max, isWhole = true }: { min: number; max: number; isWhole?: boolean },
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= min && value <= max) || (isWhole && !Number.isInteger(value))) {
    throw new FlagError(
      `--${flag} is '${text}': expected a ${isWhole ? 'whole ' : ''}number from ${min} to ${max}`,
    );
  }
  return value;
}
