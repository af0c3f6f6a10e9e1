import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface DemoOptions {
  readonly rows: number;
  /** Leaves the servers up at the end. */
  readonly keep: boolean;
}

/** Fewer make no halfway to kill a worker at. */
const MIN_ROWS = 50;

export const USAGE = `Usage: npm run demo [-- --rows N] [-- --keep]

Moves real text from MySQL into Qdrant on servers of its own, kills a worker halfway, and proves the outcome.

  --rows N   how many rows, from ${MIN_ROWS} (default 3000)
  --keep     leave the servers and their data up at the end

Its folder is FERRY_STACK_DIR, else \`demo\` beside the folder of the ordinary stack.
Exit codes: 0 proven, 1 not proven or broken off by an error, 2 bad input, 130 Ctrl-C.`;

/** @returns null when help was asked for. @throws RangeError saying what is wrong */
export function readOptions(args: readonly string[]): DemoOptions | null {
  const { values } = parse(args);
  if (values.help) return null;
  const rows = Number(values.rows);
  if (!Number.isSafeInteger(rows) || rows < MIN_ROWS) {
    throw new RangeError(`--rows: expected a whole number from ${MIN_ROWS}.`);
  }
  return { rows, keep: values.keep };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        rows: { type: 'string', default: '3000' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new RangeError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
