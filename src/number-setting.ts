import { z } from 'zod';

/**
 * A number within bounds, from the text of an environment variable or a flag.
 *
 * @param bounds.whole whether only whole numbers are taken @default true
 */
export function numberSetting(bounds: { min: number; max: number; whole?: boolean }) {
  const kind = bounds.whole === false ? 'a number' : 'a whole number';
  const error = `expected ${kind} from ${bounds.min} to ${bounds.max}`;
  const value = z.coerce.number({ error }).min(bounds.min, { error }).max(bounds.max, { error });
  return bounds.whole === false ? value : value.int({ error });
}
