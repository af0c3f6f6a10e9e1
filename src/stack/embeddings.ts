import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomSecret } from './data-folder.ts';
import { answersOk } from './http-health.ts';
import { ownProgram } from './module-file.ts';
import { spawnProcess, stopProcesses, untilHealthy } from './process.ts';
import { parseAddress, type Instance, type Resolution, type Service } from './service.ts';

const program = ownProgram('embeddings-server');

/** In a file, because every user of the machine can read a command line. */
function writeKey(instance: Instance): string {
  const path = join(instance.dir, 'api-key');
  writeFileSync(path, instance.secrets['apiKey'] ?? '', { mode: 0o600 });
  return path;
}

/** The offline stand-in for OpenAI's embeddings API. It is ours, so there is nothing to find or install. */
export const embeddings: Service = {
  name: 'embeddings',
  title: 'Embeddings',
  needs: [],
  ports: ['http'],

  resolve: async (): Promise<Resolution> => ({ kind: 'own', program }),

  install: async (): Promise<Resolution> => ({ kind: 'own', program }),

  newSecrets: () => ({ apiKey: `sk-${randomSecret()}` }),

  async start(instance) {
    const flags = {
      '--host': '127.0.0.1',
      '--port': String(instance.ports['http']),
      '--log': join(instance.dir, 'requests.jsonl'),
      '--api-key-file': writeKey(instance),
    };
    await spawnProcess(instance, {
      program: process.execPath,
      args: [program, ...Object.entries(flags).flat()],
    });
    await untilHealthy(instance, () => embeddings.health(instance));
  },

  health: (instance) => answersOk(`http://127.0.0.1:${instance.ports['http']}/health`),

  stop: (instance) => stopProcesses(instance.processes, 'SIGTERM'),

  connection: ({ ports, secrets }) => ({
    baseUrl: `http://127.0.0.1:${ports['http']}/v1`,
    apiKey: secrets['apiKey'] ?? '',
  }),

  connectionFromAddress(text) {
    const form = 'http://:api-key@host:port/v1';
    const address = parseAddress('embeddings', text, ['http:', 'https:'], form);
    const apiKey = decodeURIComponent(address.password);
    address.username = address.password = '';
    return { baseUrl: address.href.replace(/\/$/, ''), apiKey };
  },
};
