import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { InputError } from '../errors.ts';
import type { PayloadKey } from './payload-keys.ts';

/** The value of a payload's `encoding` once it is encrypted; the one that Temporal's own samples use. */
export const ENCODING = 'binary/encrypted';
const KEY_ID = 'encryption-key-id';
const CIPHER = 'aes-256-gcm';
/** As NIST recommends for GCM; random, since several processes encrypt with one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const LENGTH_BYTES = 4;

/**
 * Encrypts and decrypts what goes to Temporal: AES-256-GCM, a nonce of its own for each payload. The first key encrypts,
 * without keys nothing is; what is not encrypted is read as it is, so that encryption can be switched on while jobs are
 * open.
 *
 * @param missed told the sentence of the error, once for each key that is missing
 * @throws InputError from `decode` if a payload's key is not among these, or the payload was changed
 */
export function createPayloadCodec(
  keys: readonly PayloadKey[],
  missed: (message: string) => void = () => undefined,
): PayloadCodec {
  const [first] = keys;
  const told = new Set<string>();

  function keyOf(payload: Payload): PayloadKey {
    const id = textOf(payload.metadata?.[KEY_ID]);
    const found = keys.find((key) => key.id === id);
    if (found !== undefined) return found;
    const message = missingKey(id, keys);
    if (!told.has(id)) missed(message);
    told.add(id);
    throw new InputError([message]);
  }

  return {
    encode: async (payloads) =>
      first === undefined ? payloads : payloads.map((payload) => encrypted(payload, first)),
    decode: async (payloads) =>
      payloads.map((payload) => (isEncrypted(payload) ? decrypted(payload, keyOf(payload)) : payload)),
  };
}

/** Whether a payload is one that this codec has encrypted. */
export function isEncrypted(payload: Payload): boolean {
  return textOf(payload.metadata?.['encoding']) === ENCODING;
}

function encrypted(payload: Payload, { id, key }: PayloadKey): Payload {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(id));
  const sealed = Buffer.concat([nonce, cipher.update(packed(payload)), cipher.final(), cipher.getAuthTag()]);
  return { metadata: { encoding: Buffer.from(ENCODING), [KEY_ID]: Buffer.from(id) }, data: sealed };
}

function decrypted(payload: Payload, { id, key }: PayloadKey): Payload {
  const sealed = Buffer.from(payload.data ?? []);
  try {
    const nonce = sealed.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(
      Buffer.from(id),
    );
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
    return unpacked(
      Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]),
    );
  } catch {
    throw new InputError([
      `TEMPORAL_PAYLOAD_KEYS: a payload in Temporal cannot be decrypted with the key ${id}; expected the key that it was encrypted with under this id.`,
    ]);
  }
}

function missingKey(id: string, keys: readonly PayloadKey[]): string {
  const here = keys.length === 0 ? 'it is not set here' : `here are ${keys.map((key) => key.id).join(', ')}`;
  return `TEMPORAL_PAYLOAD_KEYS: a payload in Temporal is encrypted with the key ${id}; expected that key among others, and ${here}.`;
}

/** A payload as bytes: the length of its metadata, the metadata as JSON of base64, and the data as it is. */
function packed({ metadata, data }: Payload): Buffer {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [
    name,
    Buffer.from(value).toString('base64'),
  ]);
  const head = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, data ?? Buffer.alloc(0)]);
}

function unpacked(bytes: Buffer): Payload {
  const end = LENGTH_BYTES + bytes.readUInt32BE();
  const head = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end)) as Record<string, string>;
  const metadata = Object.entries(head).map(([name, value]) => [name, Buffer.from(value, 'base64')] as const);
  return { metadata: Object.fromEntries(metadata), data: bytes.subarray(end) };
}

function textOf(bytes: Uint8Array | null | undefined): string {
  return bytes == null ? '' : Buffer.from(bytes).toString('utf8');
}
