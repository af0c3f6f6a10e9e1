/** Numbers as people read them. */

/** `1 batch`, `1,234 batches`. */
export function many(value: number, one: string, more = `${one}s`): string {
  return `${whole(value)} ${Math.round(value) === 1 ? one : more}`;
}

/** `1,234,567`. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `1,234`, `56.7 thousand`, `1.2 million`: three digits or so where no more can be known. */
export function rough(value: number): string {
  for (const [unit, name] of UNITS) {
    if (value >= 10 * unit) return `${digits(value / unit)} ${name}`;
  }
  return whole(value);
}

/** `512 B`, `64 KiB`, `3.4 GiB`. */
export function bytes(value: number): string {
  const power = value < 1 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(value) / 10));
  const scaled = value / 1024 ** power;
  return `${power === 0 ? whole(scaled) : digits(scaled)} ${SIZES[power]}`;
}

/** `0.0042 USD`, `5.03 USD`, `1,204 USD`. */
export function dollars(value: number): string {
  if (value === 0) return '0 USD';
  if (value < 0.01) return `${value.toPrecision(2)} USD`;
  return `${value < 100 ? value.toFixed(2) : whole(value)} USD`;
}

const UNITS = [
  [1e9, 'billion'],
  [1e6, 'million'],
  [1e3, 'thousand'],
] as const;
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

function digits(value: number): string {
  return value >= 100 ? whole(value) : value.toFixed(value >= 10 || Number.isInteger(value) ? 0 : 1);
}
