import type { z } from 'zod';
import { SettingsError } from './setting-problems.ts';

/** Flags that stand for a setting, for messages. */
const FLAG_OF: Readonly<Record<string, string>> = {
  BATCH_SIZE: '--batch-size',
  MAX_WORKERS: '--concurrency',
};

/**
 * Reads the settings of a schema among all values; the others are left alone.
 *
 * @param flagged values that came from flags: their problems name the flag
 * @throws SettingsError
 */
export function parse<T extends z.ZodObject>(
  schema: T,
  values: Readonly<Record<string, string>>,
  flagged: Readonly<Record<string, string>> = {},
): z.infer<T> {
  const own = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])),
  );
  const parsed = schema.safeParse(own);
  if (parsed.success) return parsed.data;
  throw new SettingsError(
    parsed.error.issues.map((issue) => {
      const name = String(issue.path[0]);
      const state = own[name] === undefined ? 'is not set; ' : '';
      const flag = flagged[name] === undefined ? name : `${FLAG_OF[name]} (${name})`;
      return `${flag}: ${state}${issue.message}.`;
    }),
  );
}
