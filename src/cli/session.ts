import type { Client } from '@temporalio/client';
import pc from 'picocolors';
import { connectTemporal, DEFAULT_ADDRESS } from '../client/connect.ts';
import {
  checkJob,
  defaultJobName,
  readEnvironment,
  temporalConfig,
  withRunningTemporal,
  type Environment,
} from '../config.ts';
import { placesOf } from './places.ts';

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
 * Checks the settings, opens a connection, says on stderr which servers the command talks to, runs the command and
 * closes.
 *
 * @param specify what the command makes of the settings besides the job's name, so that it is refused before it connects
 * @throws InputError naming every setting that is missing or malformed, or if Temporal does not answer
 */
export async function withSession(
  flags: CommonFlags,
  name: string | undefined,
  command: (session: Session) => Promise<void>,
  specify: (environment: Environment) => unknown = (environment) => name ?? defaultJobName(environment),
): Promise<void> {
  const environment = announcedEnvironment(flags, (read) => checkJob(read, specify));
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
 * @param check looks at all settings that the command needs, to name all that is wrong with them at once
 * @throws InputError if settings are malformed
 */
export function announcedEnvironment(
  flags: CommonFlags & { readonly local?: boolean },
  check: (environment: Environment) => void = () => undefined,
): Environment {
  const configured = readEnvironment({ useStack: flags.stack ?? false });
  for (const warning of configured.warnings) console.error(pc.yellow(`! ${warning}`));
  check(configured);
  const where = configured.isStack ? 'the local stack' : 'the configured servers';
  if (flags.local === true) {
    const places = placesOf(configured);
    const what = places === null ? where : configured.isStack ? `${where}: ${places}` : places;
    console.error(pc.dim(`from this machine, without Temporal (${what})`));
    return configured;
  }
  const environment = withRunningTemporal(configured);
  const { connectionOptions, namespace } = temporalConfig(environment);
  const { address } = connectionOptions;
  const named = address === undefined ? 'TEMPORAL_ADDRESS is not set' : where;
  const place =
    environment.isTemporalOfStack === true ? "the local stack's; TEMPORAL_ADDRESS is not set" : named;
  console.error(pc.dim(`Temporal ${address ?? DEFAULT_ADDRESS}, namespace ${namespace} (${place})`));
  return environment;
}
