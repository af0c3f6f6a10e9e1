import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { Client } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import fc from 'fast-check';
import { opened } from '../../src/client/opened.ts';
import { temporalConfig } from '../../src/config.ts';
import { createDataConverter, isEncrypting } from '../../src/encryption/data-converter.ts';
import { createPayloadCodec, isEncrypted } from '../../src/encryption/payload-codec.ts';
import { encryptionSettings, type PayloadKey } from '../../src/encryption/payload-keys.ts';
import { InputError } from '../../src/errors.ts';

const keyNamed = (id: string): PayloadKey => ({ id, key: randomBytes(32) });
const [A, B] = [keyNamed('2026-a'), keyNamed('2026-b')];
const payload = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);
const [sample] = [payload({ table: 'salaries' })];

async function encrypted(value: Payload, key = A): Promise<Payload> {
  const [made] = await createPayloadCodec([key]).encode([value]);
  assert.ok(made !== undefined && isEncrypted(made));
  return made;
}

/** The sentence of the refusal. */
async function refusal(keys: readonly PayloadKey[], value: Payload): Promise<string> {
  try {
    await createPayloadCodec(keys).decode([value]);
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.message;
  }
  return assert.fail('it was decrypted');
}

describe('the payload codec', () => {
  it('gives back every payload, whatever its data and metadata', () =>
    fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2_000 }),
        fc.dictionary(fc.string({ maxLength: 20 }), fc.uint8Array({ maxLength: 50 })),
        async (data, metadata) => {
          const codec = createPayloadCodec([A]);
          const [back] = await codec.decode(await codec.encode([{ metadata, data }]));
          assert.deepEqual(Buffer.from(back?.data ?? []), Buffer.from(data));
          const texts = (all: Record<string, Uint8Array>): [string, string][] =>
            Object.entries(all).map(([name, value]) => [name, Buffer.from(value).toString('hex')]);
          assert.deepEqual(texts(back?.metadata ?? {}), texts(metadata));
        },
      ),
    ));

  it('hides data and metadata, but not which key it took', async () => {
    const { data, metadata } = await encrypted(sample);
    assert.ok(!Buffer.from(data ?? []).includes('salaries'));
    const named = Object.entries(metadata ?? {}).map(([name, value]) => [
      name,
      Buffer.from(value).toString(),
    ]);
    assert.deepEqual(Object.fromEntries(named), {
      encoding: 'binary/encrypted',
      'encryption-key-id': '2026-a',
    });
  });

  it('never encrypts alike', async () => {
    const made = await createPayloadCodec([A]).encode(Array.from({ length: 1_000 }, () => sample));
    assert.equal(new Set(made.map(({ data }) => Buffer.from(data ?? []).toString('hex'))).size, 1_000);
  });

  it('refuses a payload with any byte changed, and one under the name of another key', async () => {
    const whole = await encrypted(sample);
    for (let at = 0; at < (whole.data?.length ?? 0); at++) {
      const data = Buffer.from(whole.data ?? []);
      data.writeUInt8(data.readUInt8(at) ^ 1, at);
      assert.match(await refusal([A], { ...whole, data }), /TEMPORAL_PAYLOAD_KEYS.*2026-a/u);
    }
    for (const length of [0, 5, 12, 27, 40]) {
      await refusal([A], { ...whole, data: whole.data?.subarray(0, length) });
    }
    const renamed = { ...whole.metadata, 'encryption-key-id': Buffer.from(B.id) };
    await refusal([{ id: B.id, key: A.key }], { ...whole, metadata: renamed });
  });

  it('decrypts with any of several keys and encrypts with the first', async () => {
    const old = await encrypted(sample, A);
    const codec = createPayloadCodec([B, A]);
    assert.deepEqual(
      (await codec.decode([old])).map((value) => defaultPayloadConverter.fromPayload(value)),
      [{ table: 'salaries' }],
    );
    const [made] = await codec.encode([sample]);
    assert.equal(Buffer.from(made?.metadata?.['encryption-key-id'] ?? []).toString(), B.id);
  });

  it('names the key that is missing, and says so once', async () => {
    const value = await encrypted(sample);
    assert.match(await refusal([], value), /^TEMPORAL_PAYLOAD_KEYS: .*2026-a.*it is not set here\.$/u);
    assert.match(await refusal([B], value), /^TEMPORAL_PAYLOAD_KEYS: .*2026-a.*here are 2026-b\.$/u);
    const told: string[] = [];
    const codec = createPayloadCodec([B], (message) => told.push(message));
    await assert.rejects(codec.decode([value]));
    await assert.rejects(codec.decode([value]));
    assert.equal(told.length, 1);
  });

  it('reads what was written before there was a key, and without keys encrypts nothing', async () => {
    assert.deepEqual(await createPayloadCodec([A]).decode([sample]), [sample]);
    assert.deepEqual(await createPayloadCodec([]).encode([sample]), [sample]);
  });
});

describe('raw messages of the server', () => {
  const client = (keys: readonly PayloadKey[]): Client =>
    new Client({ connection: {} as never, dataConverter: createDataConverter(keys) });

  it('are decrypted wherever payloads are in them', async () => {
    const message = {
      events: [{ input: { payloads: [await encrypted(sample), payload(1)] }, id: 7 }, { nothing: null }],
    };
    const found = (await opened(client([A]), message)).events[0]?.input?.payloads ?? [];
    assert.deepEqual(
      found.map((value) => defaultPayloadConverter.fromPayload(value)),
      [{ table: 'salaries' }, 1],
    );
  });

  it('come from a client that knows whether it encrypts', () => {
    assert.deepEqual([isEncrypting(client([A])), isEncrypting(client([]))], [true, false]);
  });

  it('are refused without the key', async () => {
    const message = { details: await encrypted(sample) };
    await assert.rejects(opened(client([]), message), InputError);
  });
});

describe('TEMPORAL_PAYLOAD_KEYS', () => {
  const base64 = A.key.toString('base64');
  const read = (value: string) => encryptionSettings.safeParse({ TEMPORAL_PAYLOAD_KEYS: value });

  it('is one key or several', () => {
    const { data } = read(`a:${base64}, b:${B.key.toString('base64')}`);
    assert.deepEqual(
      data?.TEMPORAL_PAYLOAD_KEYS?.map(({ id, key }) => [id, key.equals(A.key) || key.equals(B.key)]),
      [
        ['a', true],
        ['b', true],
      ],
    );
  });

  for (const [what, value] of [
    ['no id', base64],
    ['an empty id', `:${base64}`],
    ['an id with a space', `a b:${base64}`],
    ['a key too short', `a:${base64.slice(0, 20)}`],
    ['a key with a slip', `a:${base64.slice(0, 9)}!${base64.slice(10)}`],
    ['a key of another alphabet', `a:${Buffer.alloc(32, 255).toString('base64url')}`],
    ['something after it', `a:${base64}:x`],
    ['an empty item', `a:${base64},`],
    ['the same id twice', `a:${base64},a:${base64}`],
  ] as const) {
    it(`is not ${what}; the message does not quote it`, () => {
      const { success, error } = read(value);
      assert.equal(success, false);
      assert.ok(!JSON.stringify(error?.issues).includes(value.slice(2, 14)), error?.message);
    });
  }

  it('stays in force with the local stack, whose server it is not about', () => {
    const values = { TEMPORAL_ADDRESS: '127.0.0.1:7233', TEMPORAL_PAYLOAD_KEYS: `a:${base64}` };
    const { payloadKeys } = temporalConfig({ values, warnings: [], isStack: true });
    assert.deepEqual(
      payloadKeys?.map(({ id }) => id),
      ['a'],
    );
  });
});
