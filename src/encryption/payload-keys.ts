import { z } from 'zod';

const EXPECTED =
  'expected id:key, or several separated by commas, each key 32 random bytes in base64 (`openssl rand -base64 32`)';
const ID = /^[\w.-]{1,32}$/u;
const KEY_BYTES = 32;

/** A key for payloads, and the name that payloads carry to find it again. */
export interface PayloadKey {
  readonly id: string;
  /** 32 bytes, for AES-256. */
  readonly key: Buffer;
}

/** What Temporal's server must not be able to read. */
export const encryptionSettings = z.object({
  TEMPORAL_PAYLOAD_KEYS: z
    .string()
    .transform((list, context): readonly PayloadKey[] => {
      const keys = list.split(',').map((item) => keyOf(item.trim()));
      const known = keys.filter((key) => key !== null);
      // The value itself is a secret: no message quotes any of it.
      if (known.length < keys.length) context.addIssue({ code: 'custom', message: EXPECTED });
      else if (new Set(known.map(({ id }) => id)).size < known.length)
        context.addIssue({ code: 'custom', message: 'expected each id once' });
      return known;
    })
    .optional()
    .describe(
      'Encrypts what Temporal stores of jobs: id:key, the key 32 bytes in base64. Of several, separated by commas, the first encrypts and all decrypt. The same for workers and commands.',
    ),
});

function keyOf(item: string): PayloadKey | null {
  const [id = '', encoded = '', ...rest] = item.split(':');
  const key = Buffer.from(encoded, 'base64');
  // Node's decoder skips what it does not know; a key with a slip must not become another key.
  const isWhole = key.length === KEY_BYTES && key.toString('base64') === encoded;
  return ID.test(id) && isWhole && rest.length === 0 ? { id, key } : null;
}
