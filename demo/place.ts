import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Client } from '@temporalio/client';
import { connectTemporal } from '../src/client/connect.ts';
import { temporalConfig, type Environment } from '../src/config.ts';
import type { Stack } from '../src/stack/stack.ts';
import { EmbeddingsControl, QdrantControl } from '../test/support/control.ts';

const ROOT = join(import.meta.dirname, '..');

/** The product's settings, beside the addresses of the servers. */
export type Settings = Readonly<Record<string, string>>;

/** Where the demo drives the product: its servers, and a clean environment for its processes. */
export interface Place {
  readonly stack: Stack;
  /** The whole environment of the product's processes: nothing of the user's settings, which may name production. */
  readonly env: Settings;
  /** The same, for the product's code in this process. */
  readonly environment: Environment;
  readonly client: Client;
  /** Counters and switches of the two servers that count. */
  readonly embeddings: EmbeddingsControl;
  readonly qdrant: QdrantControl;
  /** Arguments and options to run a program of the product: `worker.ts`, `cli.ts`. */
  launch(program: string, ...args: string[]): readonly [string, string[], { cwd: string; env: Settings }];
  /** Runs `ferry` to its end and returns what it printed. @throws Error unless it exits with 0 */
  ferry(...args: string[]): Promise<string>;
  close(): Promise<void>;
}

export async function openPlace(stack: Stack, settings: Settings): Promise<Place> {
  // Without a .env file, which the product reads from where it stands.
  const cwd = mkdtempSync(join(tmpdir(), 'ferry-demo-'));
  const profiles = join(cwd, 'temporal.toml');
  // The user's own profile may name another server, or a key for it.
  writeFileSync(profiles, '[profile.default]\n');
  const { PATH = '', HOME = '' } = process.env;
  const env = { PATH, HOME, TEMPORAL_CONFIG_FILE: profiles, ...stack.environment(), ...settings };
  const environment = { values: env, warnings: [], isStack: true };
  const launch: Place['launch'] = (program, ...args) => [
    process.execPath,
    [join(ROOT, 'src', program), ...args],
    { cwd, env },
  ];
  const { client, close } = await connectTemporal(temporalConfig(environment)).catch((error: unknown) => {
    rmSync(cwd, { recursive: true, force: true });
    throw error;
  });
  return {
    stack,
    env,
    environment,
    client,
    embeddings: new EmbeddingsControl(stack.environment().OPENAI_BASE_URL ?? ''),
    qdrant: new QdrantControl(stack.environment().QDRANT_URL ?? '', stack.environment().QDRANT_API_KEY ?? ''),
    launch,
    ferry: async (...args) => {
      const [program, words, options] = launch('cli.ts', ...args);
      const child = spawn(program, words, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
      const [stdout, stderr, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close') as Promise<[number | null]>,
      ]);
      if (code !== 0) throw new Error(`ferry ${args.join(' ')} ended with ${code}:\n${stderr}`);
      return stdout;
    },
    close: async () => {
      await close();
      rmSync(cwd, { recursive: true, force: true });
    },
  };
}
