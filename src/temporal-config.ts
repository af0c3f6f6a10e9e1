import { loadClientConnectConfig, type ClientConnectConfig } from '@temporalio/envconfig';
import type { Environment } from './config.ts';
import { encryptionSettings, type PayloadKey } from './encryption/payload-keys.ts';
import { InputError } from './errors.ts';
import { parse } from './parse-settings.ts';
import { collect, SettingsError } from './setting-problems.ts';
import { clientSettings } from './settings.ts';

/** Read by @temporalio/envconfig; listed so that near-misses of them are seen. */
export const TEMPORAL_NAMES = [
  'TEMPORAL_ADDRESS',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'TEMPORAL_PROFILE',
  'TEMPORAL_CONFIG_FILE',
  'TEMPORAL_TLS',
  'TEMPORAL_TLS_CLIENT_CERT_PATH',
  'TEMPORAL_TLS_CLIENT_CERT_DATA',
  'TEMPORAL_TLS_CLIENT_KEY_PATH',
  'TEMPORAL_TLS_CLIENT_KEY_DATA',
  'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  'TEMPORAL_TLS_SERVER_CA_CERT_DATA',
  'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION',
  'TEMPORAL_CODEC_ENDPOINT',
  'TEMPORAL_CODEC_AUTH',
  'TEMPORAL_TLS_SERVER_NAME',
];

/** Where a client of Temporal connects to. */
export interface TemporalConfig extends Required<ClientConnectConfig> {
  /** The first encrypts what Temporal stores. @default none: nothing is encrypted */
  readonly payloadKeys?: readonly PayloadKey[];
}

/**
 * Whether a variable is about a Temporal server: its address, or what is sent to it. Keys for payloads are not; they
 * stay here, and encrypt whatever server there is.
 */
export function isOfTemporalServer(name: string): boolean {
  return name.startsWith('TEMPORAL_') && !(name in encryptionSettings.shape);
}

/**
 * Address, TLS and namespace of Temporal: its own variables and temporal.toml, as its CLI reads them; and our keys for
 * what it stores.
 *
 * @throws InputError naming every variable that is malformed
 */
export function temporalConfig({ values, isStack, isTemporalOfStack = false }: Environment): TemporalConfig {
  const keys = collect(() => parse(encryptionSettings, values).TEMPORAL_PAYLOAD_KEYS ?? []);
  const problems = [...temporalProblems(values), ...(keys instanceof InputError ? keys.problems : [])];
  if (problems.length > 0 || keys instanceof InputError) throw new SettingsError(problems);
  try {
    const { connectionOptions, namespace } = loadClientConnectConfig({
      overrideEnvVars: { ...values },
      // A profile with TLS or a key for another server would be merged into the connection to the stack.
      disableFile: isStack || isTemporalOfStack,
    });
    return { connectionOptions, namespace: namespace ?? 'default', payloadKeys: keys };
  } catch (error) {
    throw new SettingsError([temporalProblem(values, error)]);
  }
}

/** Temporal's library takes any other word for `false`, and would send everything in the clear. */
const TEMPORAL_SWITCHES = ['TEMPORAL_TLS', 'TEMPORAL_TLS_DISABLE_HOST_VERIFICATION'];

function temporalProblems(values: Environment['values']): string[] {
  const switches = TEMPORAL_SWITCHES.filter((name) => !/^(?:true|false|1|0)$/u.test(values[name] ?? '0'));
  const address = values['TEMPORAL_ADDRESS'] ?? 'localhost';
  return [
    ...(/^(?:[^\s:/@]+|\[[\da-f:.]+\])(?::\d{1,5})?$/iu.test(address)
      ? []
      : ['TEMPORAL_ADDRESS: expected host:port such as 127.0.0.1:7233, without http://.']),
    ...switches.map((name) => `${name}: expected true or false.`),
  ];
}

/** Temporal's library names neither the variable nor the profile's file. */
function temporalProblem(values: Environment['values'], error: unknown): string {
  const { code, path, message } = error as NodeJS.ErrnoException;
  const name = Object.keys(values).find((key) => key.startsWith('TEMPORAL_') && values[key] === path);
  return code !== undefined && path !== undefined
    ? `${name ?? 'TEMPORAL_CONFIG_FILE'}: cannot read the file ${path} (${code}).`
    : // Its further lines may quote the file, which may hold a key.
      `TEMPORAL_CONFIG_FILE, TEMPORAL_PROFILE: expected a file of profiles that has this one; ${message.split('\n')[0]}.`;
}

/** TEMPORAL_UI_URL; undefined where it is not set. @throws InputError if it is malformed */
export function temporalUiUrl({ values }: Environment): string | undefined {
  return parse(clientSettings, values).TEMPORAL_UI_URL;
}
