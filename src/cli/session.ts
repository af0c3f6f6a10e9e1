import type { Client } from '@temporalio/client';
import pc from 'picocolors';
import { connectTemporal } from '../client/connect.ts';
import { defaultJobName, readEnvironment, temporalConfig, type Environment } from '../config.ts';

/** Flags that every command about a job has. */
export interface CommonFlags {
  readonly json?: boolean;
  readonly stack?: boolean;
}

/** An open connection for one command. */
export interface Session {
  readonly client: Client;
  readonly environment: Environment;
  /** The job that the command is about. */
  readonly name: string;
}

/**
 * Opens a connection, says on stderr which servers the command talks to, runs the command and closes.
 *
 * @throws InputError if settings are malformed or Temporal does not answer
 */
export async function withSession(
  flags: CommonFlags,
  name: string | undefined,
  command: (session: Session) => Promise<void>,
): Promise<void> {
  const environment = announcedEnvironment(flags);
  const { client, close } = await connectTemporal(temporalConfig(environment));
  try {
    await command({ client, environment, name: name ?? defaultJobName(environment) });
  } finally {
    await close();
  }
}

/**
 * Reads the settings, and says on stderr which servers the command talks to and which names look misspelt.
 *
 * @throws InputError if settings are malformed
 */
export function announcedEnvironment(flags: CommonFlags): Environment {
  const environment = readEnvironment({ useStack: flags.stack ?? false });
  for (const warning of environment.warnings) console.error(pc.yellow(`! ${warning}`));
  const { connectionOptions, namespace } = temporalConfig(environment);
  const where = environment.isStack ? 'the local stack' : 'the configured servers';
  console.error(
    pc.dim(`Temporal ${connectionOptions.address ?? 'localhost:7233'}, namespace ${namespace} (${where})`),
  );
  return environment;
}
