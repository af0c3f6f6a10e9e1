import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';

/**
 * Decrypts, in place, every payload of a message that came from the server as it is: events of a history, heartbeats of
 * pending activities. What the SDK's own calls return is decrypted already.
 *
 * @returns the same message
 * @throws InputError if a key is missing
 */
export async function opened<Message>(client: Client, message: Message): Promise<Message> {
  const payloads: Payload[] = [];
  collect(message, payloads);
  for (const codec of client.options.loadedDataConverter.payloadCodecs.toReversed()) {
    const decoded = await codec.decode(payloads);
    for (const [index, payload] of payloads.entries()) Object.assign(payload, decoded[index]);
  }
  return message;
}

/** A payload is what has metadata with an encoding; messages are trees. */
function collect(value: unknown, payloads: Payload[]): void {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  if (isPayload(value)) {
    payloads.push(value);
    return;
  }
  for (const part of Object.values(value)) collect(part, payloads);
}

function isPayload(value: object): value is Payload {
  const { metadata } = value as { metadata?: unknown };
  if (typeof metadata !== 'object' || metadata === null) return false;
  return (metadata as { encoding?: unknown }).encoding instanceof Uint8Array;
}
