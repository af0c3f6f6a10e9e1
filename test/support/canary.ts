import { randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Enough of a secret to be worth something, or to be found by somebody who looks for it. */
const PREFIX_LENGTH = 12;

/** A value that occurs nowhere by chance, not even its first characters. @param rest characters that need escaping */
export function canary(rest = ''): string {
  return `${randomBytes(12).toString('hex')}${rest}`;
}

/** The middle of the value's base64, at each of the three places where a value may begin within a longer text. */
function base64Forms(value: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = Buffer.from('-'.repeat(offset) + value).toString('base64');
    // The first and the last group also hold bits of the neighbours.
    const middle = encoded.replace(/=+$/u, '').slice(offset === 0 ? 0 : 4, -4);
    return [middle, middle.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** How a value may be written: as it is, its beginning, in base64, URL-encoded, in hexadecimal, in JSON. */
export function formsOf(value: string): ReadonlySet<string> {
  return new Set([
    value,
    value.slice(0, PREFIX_LENGTH),
    ...base64Forms(value),
    encodeURIComponent(value),
    Buffer.from(value).toString('hex'),
    JSON.stringify(value).slice(1, -1),
  ]);
}

/** Where which canary was found: `<canary> in <place>: <what is around it>`. Empty: nowhere. */
export function sightings(
  canaries: Readonly<Record<string, string>>,
  places: Readonly<Record<string, string | Buffer>>,
): string[] {
  return Object.entries(places).flatMap(([place, content]) =>
    Object.entries(canaries).flatMap(([name, value]) => {
      for (const form of formsOf(value)) {
        const at = content.indexOf(form);
        if (at >= 0)
          return [`${name} in ${place}: ${content.toString('utf8').slice(Math.max(0, at - 150), at + 80)}`];
      }
      return [];
    }),
  );
}

/** All texts and bytes in a value, one a line: payloads of Temporal are bytes of JSON. */
export function spelled(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(([key, part]) => `${key}: ${spelled(part)}`)
    .join('\n');
}

/** The command lines of all processes on this machine, one a line. */
export function commandLines(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/u.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        // It has ended since.
        return '';
      }
    })
    .join('\n');
}

/** Every plain file below a folder. */
export function filesBelow(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) return filesBelow(path);
    return found?.isFile() === true ? [path] : [];
  });
}
