import type { IdRange } from '../source/source.ts';

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
/** Up to here every integer is a double of its own. */
const EXACT = 2n ** 53n;

/** A condition for Qdrant; without `gte` or `lte` it is open on that side. */
export interface ScanBounds {
  readonly gte?: number;
  readonly lte?: number;
}

/**
 * Bounds that every 64-bit integer in (after, upTo] meets, however Qdrant rounds: it compares integers with a range as
 * doubles (100 ids around 2^60 gave 109 points). They let neighbours in too, so the caller compares once more.
 */
export function scanBounds({ after, upTo }: IdRange): ScanBounds {
  return {
    ...(after <= MIN_INT64 ? {} : { gte: isExact(after) ? Number(after) : neighbour(Number(after), -1) }),
    ...(upTo >= MAX_INT64 ? {} : { lte: isExact(upTo) ? Number(upTo) : neighbour(Number(upTo), +1) }),
  };
}

function isExact(value: bigint): boolean {
  return -EXACT <= value && value <= EXACT;
}

/** The next double in a direction; `value` is finite and not zero. */
function neighbour(value: number, direction: 1 | -1): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  // The bits of a double count up with its magnitude.
  const away = value > 0 === direction > 0;
  view.setBigInt64(0, view.getBigInt64(0) + (away ? 1n : -1n));
  return view.getFloat64(0);
}
