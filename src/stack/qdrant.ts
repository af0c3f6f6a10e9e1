import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached, isCached } from './cache.ts';
import { isAtLeast, runCommand, versionOf } from './command.ts';
import { randomSecret } from './data-folder.ts';
import { runContainer, type Container } from './docker.ts';
import { findProgram } from './environment.ts';
import { answersOk } from './http-health.ts';
import { ownFile } from './module-file.ts';
import { spawnProcess, stopProcesses, untilHealthy } from './process.ts';
import { parseAddress, programOf, type Instance, type Resolution, type Service } from './service.ts';

const oldestServer = '1.16';
const oldestPython = '3.10';
const frontDir = ownFile('./qdrant-front');
const requirements = join(frontDir, 'requirements.txt');

function cacheKey(): string {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  return join('qdrant-front', hash.slice(0, 12));
}

function url(instance: Pick<Instance, 'ports'>): string {
  return `http://127.0.0.1:${instance.ports['http']}`;
}

async function findPython(): Promise<string | undefined> {
  for (const name of ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10']) {
    const program = findProgram(name);
    const version = program && (await versionOf(program, /Python (\d+\.\d+)/));
    if (program && version && isAtLeast(version, oldestPython)) return program;
  }
  return undefined;
}

/** Packages into a folder of their own: in a venv, or, where Debian ships Python without one, with the system's pip. */
async function installFront(dir: string): Promise<void> {
  const python = (await findPython()) ?? 'python3';
  const options = ['--quiet', '--no-cache-dir', '--only-binary', ':all:', '--requirement', requirements];
  try {
    await runCommand(python, ['-m', 'venv', dir]);
  } catch (noVenv) {
    await runCommand(python, ['-m', 'venv', '--without-pip', '--clear', dir]);
    const target = join(dir, 'packages');
    await runCommand(python, ['-m', 'pip', 'install', ...options, '--target', target]).catch(
      (noPip: unknown) => {
        throw new AggregateError(
          [noVenv, noPip],
          'Python has neither venv nor pip: install python3-venv or python3-pip',
        );
      },
    );
    return;
  }
  await runCommand(join(dir, 'bin', 'python'), ['-m', 'pip', 'install', ...options]);
}

/** The real server, if there is one on PATH. */
function serverProgram(instance: Instance, dataDir: string) {
  return {
    program: programOf(instance),
    args: ['--disable-telemetry'],
    env: {
      QDRANT__SERVICE__HOST: '127.0.0.1',
      QDRANT__SERVICE__HTTP_PORT: String(instance.ports['http']),
      QDRANT__SERVICE__GRPC_PORT: String(instance.ports['grpc']),
      QDRANT__SERVICE__API_KEY: instance.secrets['apiKey'] ?? '',
      QDRANT__STORAGE__STORAGE_PATH: join(dataDir, 'storage'),
      QDRANT__STORAGE__SNAPSHOTS_PATH: join(dataDir, 'snapshots'),
    },
  };
}

/** The same server in a container; snapshots go into its one volume too. */
function container(instance: Instance): Container {
  return {
    ports: { http: 6333, grpc: 6334 },
    dataDir: '/qdrant/storage',
    env: { QDRANT__TELEMETRY_DISABLED: 'true', QDRANT__STORAGE__SNAPSHOTS_PATH: '/qdrant/storage/snapshots' },
    secrets: { QDRANT__SERVICE__API_KEY: instance.secrets['apiKey'] ?? '' },
  };
}

/** The engine behind our own front. */
function frontProgram(instance: Instance, dataDir: string) {
  const flags = {
    '--host': '127.0.0.1',
    '--port': String(instance.ports['http']),
    '--data': dataDir,
  };
  const packages = join(programOf(instance), '..', '..', 'packages');
  const path = existsSync(packages) ? `${frontDir}:${packages}` : frontDir;
  return {
    program: programOf(instance),
    args: ['-m', 'qdrant_front', ...Object.entries(flags).flat()],
    env: {
      PYTHONPATH: path,
      PYTHONUNBUFFERED: '1',
      PYTHONDONTWRITEBYTECODE: '1',
      // Every user of the machine can read a command line.
      QDRANT__SERVICE__API_KEY: instance.secrets['apiKey'] ?? '',
    },
  };
}

/** Qdrant: the server where there is one, else its engine as a Python library behind our own REST front. */
export const qdrant: Service = {
  name: 'qdrant',
  title: 'Qdrant',
  needs: [],
  ports: ['http', 'grpc'],

  async resolve(): Promise<Resolution | undefined> {
    const program = findProgram('qdrant');
    const version = program && (await versionOf(program, /qdrant (\d+\.\d+\.\d+)/));
    return program && version && isAtLeast(version, oldestServer)
      ? { kind: 'path', program, version }
      : undefined;
  },

  image: 'qdrant/qdrant:v1.16.2',

  async lacks() {
    if (isCached(cacheKey()) || (await findPython()) !== undefined) return undefined;
    return (
      `no qdrant on PATH, and its engine as a library needs Python ${oldestPython} or newer, which is not there; ` +
      'install Python with venv and pip, or give the address of a server in FERRY_STACK_QDRANT'
    );
  },

  async install(report): Promise<Resolution> {
    const text = readFileSync(requirements, 'utf8');
    const dir = await cached(cacheKey(), report, async (target) => {
      report('installing the Qdrant engine and its front with pip');
      await installFront(target);
      writeFileSync(join(target, 'requirements.txt'), text);
    });
    const engine = /^qdrant-edge-py==(\S+)/m.exec(text)?.[1] ?? 'of unknown version';
    const version = `engine ${engine}`;
    return { kind: 'registry', program: join(dir, 'bin', 'python'), version, registry: 'PyPI' };
  },

  newSecrets: () => ({ apiKey: randomSecret() }),

  async start(instance) {
    if (instance.resolution.kind === 'docker') await runContainer(instance, container(instance));
    else {
      const dataDir = join(instance.dir, 'data');
      mkdirSync(dataDir, { recursive: true });
      const program = instance.resolution.kind === 'path' ? serverProgram : frontProgram;
      await spawnProcess(instance, program(instance, dataDir));
    }
    await untilHealthy(instance, () => qdrant.health(instance));
  },

  health: (instance) => answersOk(`${url(instance)}/readyz`),

  stop: (instance) => stopProcesses(instance.processes, 'SIGTERM'),

  connection: (instance) => ({ url: url(instance), apiKey: instance.secrets['apiKey'] ?? '' }),

  connectionFromAddress(text) {
    const address = parseAddress('qdrant', text, ['http:', 'https:'], 'http://:api-key@host:port');
    const apiKey = decodeURIComponent(address.password);
    address.username = address.password = '';
    return { url: address.href.replace(/\/$/, ''), apiKey };
  },
};
