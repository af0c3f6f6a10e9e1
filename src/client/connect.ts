import { Client, Connection, ServiceError, type ConnectionOptions } from '@temporalio/client';
import type { TemporalConfig } from '../config.ts';
import { createDataConverter } from '../encryption/data-converter.ts';
import { InputError } from '../errors.ts';
import { describeTcp } from './tcp-probe.ts';

/** A client of Temporal that can be closed. */
export interface OpenClient {
  readonly client: Client;
  readonly close: () => Promise<void>;
}

/** Where the SDK looks for Temporal if nothing else is said. */
export const DEFAULT_ADDRESS = 'localhost:7233';

/** As gRPC numbers its answers. */
const Status = {
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  UNIMPLEMENTED: 12,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/**
 * Connects to Temporal and looks whether the namespace is there.
 *
 * @throws InputError if the server does not answer within 5 s, refuses, or has no such namespace
 */
export async function connectTemporal(config: TemporalConfig): Promise<OpenClient> {
  const { connectionOptions, namespace } = config;
  const address = connectionOptions.address ?? DEFAULT_ADDRESS;
  let connection: Connection;
  try {
    connection = await Connection.connect({
      ...(connectionOptions as ConnectionOptions),
      connectTimeout: '5s',
    });
  } catch (error) {
    throw new InputError([
      refusal(error, config) ?? (await silence(address)) ?? otherProtocol(address, config),
    ]);
  }
  try {
    await connection.withDeadline(Date.now() + 5_000, () =>
      connection.workflowService.describeNamespace({ namespace }),
    );
  } catch (error) {
    const problem = refusal(error, config);
    // Whatever else this answers, the command itself will tell.
    if (problem !== null) {
      await connection.close();
      throw new InputError([problem]);
    }
  }
  const dataConverter = createDataConverter(config.payloadKeys ?? []);
  return { client: new Client({ connection, namespace, dataConverter }), close: () => connection.close() };
}

/** What an answer of the server means for the settings; null if it is no answer, or none about them. */
function refusal(error: unknown, { connectionOptions, namespace }: TemporalConfig): string | null {
  const address = connectionOptions.address ?? DEFAULT_ADDRESS;
  switch (codeOf(error)) {
    case Status.NOT_FOUND:
      return `TEMPORAL_NAMESPACE: Temporal at ${address} has no namespace ${namespace}; create it with \`temporal operator namespace create --namespace ${namespace}\`, or name another.`;
    case Status.PERMISSION_DENIED:
    case Status.UNAUTHENTICATED:
      return `TEMPORAL_API_KEY, TEMPORAL_NAMESPACE: Temporal at ${address} refuses the key or its use for the namespace ${namespace}; expected a key that may use this namespace.`;
    // The SDK takes a server that does not know its first question for an old Temporal.
    case Status.UNIMPLEMENTED:
      return `TEMPORAL_ADDRESS: what answers at ${address} is not Temporal; expected the gRPC port of a Temporal server, as a rule 7233.`;
    case Status.UNAVAILABLE:
    case Status.DEADLINE_EXCEEDED:
      return `TEMPORAL_ADDRESS: Temporal at ${address} is reachable but does not answer; look at its own log, or wait until it is up.`;
    default:
      return null;
  }
}

function codeOf(error: unknown): unknown {
  const cause = error instanceof ServiceError ? error.cause : error;
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
}

/** The SDK only says that time is up: a bare connection tells a server that is down from one that speaks otherwise. */
async function silence(address: string): Promise<string | null> {
  const problem = await describeTcp(address);
  return problem === null
    ? null
    : `TEMPORAL_ADDRESS: Temporal at ${address} does not answer (${problem}); correct the address or start Temporal, or start the local stack with \`ferry stack up\`.`;
}

/** Somebody listens, but not for what we say. */
function otherProtocol(address: string, { connectionOptions }: TemporalConfig): string {
  const isEncrypted = Boolean(connectionOptions.tls) || connectionOptions.apiKey !== undefined;
  return isEncrypted
    ? `TEMPORAL_ADDRESS: what answers at ${address} does not take a TLS connection of Temporal's protocol; expected a Temporal server with TLS and a certificate that this machine trusts (TEMPORAL_TLS_SERVER_CA_CERT_PATH). For a server without TLS unset TEMPORAL_TLS and TEMPORAL_API_KEY.`
    : `TEMPORAL_ADDRESS: what answers at ${address} does not speak Temporal's protocol without TLS; expected a Temporal server's gRPC port. For one with TLS set TEMPORAL_TLS=true, or TEMPORAL_API_KEY for Temporal Cloud.`;
}
