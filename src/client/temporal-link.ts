import { temporalConfig, temporalUiUrl, type Environment } from '../config.ts';
import { DEFAULT_ADDRESS } from './connect.ts';

/** Makes the addresses of workflows in the Temporal UI; null where no UI is known. */
export type TemporalLink = (workflowId: string, runId?: string | null) => string | null;

const CLOUD_UI = 'https://cloud.temporal.io';
/** Addresses of namespaces in Temporal Cloud, and of its regions where a key is used. */
const CLOUD_HOST = /\.(?:tmprl\.cloud|temporal\.io)$/i;
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/i;
/** Where the dev server puts its UI if nothing is asked for, by its default address. */
const DEV_SERVER = { port: '7233', uiPort: '8233' } as const;

/** Links into the UI of the Temporal server that the environment names. @throws InputError if settings are malformed */
export function temporalLink(environment: Environment): TemporalLink {
  const { connectionOptions, namespace } = temporalConfig(environment);
  const ui = temporalUiUrl(environment) ?? uiOf(connectionOptions.address ?? DEFAULT_ADDRESS);
  return (workflowId, runId) => {
    if (ui === null) return null;
    const workflow = `${ui.replace(/\/+$/, '')}/namespaces/${encodeURIComponent(namespace)}/workflows/${encodeURIComponent(workflowId)}`;
    return runId == null ? workflow : `${workflow}/${runId}/history`;
  };
}

/** @param address host:port of the server; the port may be missing */
function uiOf(address: string): string | null {
  const [, host = '', port = DEV_SERVER.port] = /^(.*?)(?::(\d+))?$/.exec(address) ?? [];
  if (CLOUD_HOST.test(host)) return CLOUD_UI;
  return LOOPBACK.test(host) && port === DEV_SERVER.port ? `http://${host}:${DEV_SERVER.uiPort}` : null;
}
