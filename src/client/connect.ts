import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import type { TemporalConfig } from '../config.ts';
import { InputError } from '../errors.ts';

/** A client of Temporal that can be closed. */
export interface OpenClient {
  readonly client: Client;
  readonly close: () => Promise<void>;
}

/**
 * Connects to Temporal.
 *
 * @throws InputError if the server does not answer within 5 s or refuses
 */
export async function connectTemporal({ connectionOptions, namespace }: TemporalConfig): Promise<OpenClient> {
  const address = connectionOptions.address ?? 'localhost:7233';
  try {
    const connection = await Connection.connect({
      ...(connectionOptions as ConnectionOptions),
      connectTimeout: '5s',
    });
    const client = new Client({ connection, namespace });
    return { client, close: () => connection.close() };
  } catch (error) {
    throw new InputError([
      `TEMPORAL_ADDRESS: Temporal at ${address} does not answer (${reasonOf(error)}); start it, or start the local stack with \`ferry stack up\`.`,
    ]);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? error.name) : String(error);
}
