import mysql from 'mysql2/promise';
import type { FieldPacket } from 'mysql2/promise';
import { Fault } from '../errors.ts';
import type { PayloadValue } from './source.ts';

/** A value as the text protocol carries it: the server's text in UTF-8, or the bytes of a binary column. */
export type RawValue = Buffer | null;

const { Types } = mysql;
/** The "character set" of bytes that are no text. */
const BINARY_CHARSET = 63;
/** The protocol's flag of a column that is declared NOT NULL. */
const NOT_NULL = 1;

const INTEGER_TYPES = new Set<unknown>([
  Types.TINY,
  Types.SHORT,
  Types.INT24,
  Types.LONG,
  Types.LONGLONG,
  Types.YEAR,
]);
const STRING_TYPES = new Set<unknown>([
  Types.VARCHAR,
  Types.VAR_STRING,
  Types.STRING,
  Types.ENUM,
  Types.SET,
  Types.TINY_BLOB,
  Types.MEDIUM_BLOB,
  Types.LONG_BLOB,
  Types.BLOB,
]);

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @returns whether the column holds integers. */
export function isIntegerColumn(column: FieldPacket): boolean {
  return INTEGER_TYPES.has(column.columnType);
}

/** @returns whether the column may hold NULL, as far as the server says; where it does not, it may. */
export function mayBeNull({ flags }: FieldPacket): boolean {
  return typeof flags !== 'number' || (flags & NOT_NULL) === 0;
}

/**
 * A value that is text or a number for sure.
 *
 * @throws Error if it is NULL after all
 */
export function textOf(raw: RawValue | undefined): string {
  if (raw === null || raw === undefined)
    throw new Error('the server answered NULL where a value was expected');
  return raw.toString();
}

/** @returns the text, or undefined if the bytes are not UTF-8. */
export function decodeText(raw: Buffer): string | undefined {
  try {
    return strictUtf8.decode(raw);
  } catch {
    return undefined;
  }
}

/**
 * Refuses a column that has no form as text, before a value of it is looked at.
 *
 * @param role the setting that names the column
 * @throws Fault `source_misconfigured`
 */
export function requireTextual(column: FieldPacket, role: string, options: { bytesAllowed: boolean }): void {
  const opaque = column.columnType === Types.GEOMETRY || column.columnType === Types.VECTOR;
  if (!opaque && (options.bytesAllowed || !holdsBytes(column))) return;
  throw new Fault(
    'source_misconfigured',
    `${role}: the column ${JSON.stringify(column.name)} holds binary data`,
  );
}

/**
 * A copied column as it stands in a payload: integers as numbers (bigint where a number would round), FLOAT and DOUBLE
 * as numbers, DECIMAL and JSON as their text, BIT(1) as a boolean, dates in ISO 8601 (with `Z` for TIMESTAMP; DATETIME
 * knows no zone), everything else as text.
 */
export function decodeCopied(column: FieldPacket, raw: RawValue): PayloadValue {
  if (raw === null) return null;
  if (column.columnType === Types.BIT) return decodeBits(column, raw);
  const text = raw.toString('utf8');
  if (isIntegerColumn(column)) return decodeInteger(BigInt(text));
  switch (column.columnType) {
    case Types.FLOAT:
    case Types.DOUBLE:
      return Number(text);
    case Types.DATE:
    case Types.NEWDATE:
      return isoDate(text);
    case Types.DATETIME:
      return isoDate(text.replace(' ', 'T'));
    case Types.TIMESTAMP:
      return isoDate(`${text.replace(' ', 'T')}Z`);
    default:
      return text;
  }
}

function holdsBytes(column: FieldPacket): boolean {
  return STRING_TYPES.has(column.columnType) && column.characterSet === BINARY_CHARSET;
}

function decodeInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function decodeBits(column: FieldPacket, raw: Buffer): PayloadValue {
  const value = BigInt(`0x${raw.toString('hex') || '0'}`);
  return column.columnLength === 1 ? value === 1n : decodeInteger(value);
}

/** MySQL's zero dates (`0000-00-00`, `2024-00-00`) are no dates. */
function isoDate(text: string): string | null {
  return /^\d+-(?:00|\d\d-00)/u.test(text) ? null : text;
}
