import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before } from 'node:test';

import { QdrantClient } from '@qdrant/js-client-rest';

import { qdrant } from '../../src/stack/qdrant.ts';

const FRONT = join(import.meta.dirname, '../../src/stack/qdrant-front');
export const BM25 = { tokenizer: 'multilingual', avg_len: 128 };
const DIMENSIONS = 4;

/** A stand-in for Qdrant that a test started for itself. */
export interface Front {
  readonly process: ChildProcess;
  readonly url: string;
}

async function findPython(): Promise<string> {
  const given = process.env['QDRANT_FRONT_PYTHON'];
  if (given) return given;
  const resolution = await qdrant.install(() => undefined);
  assert.ok('program' in resolution);
  return resolution.program;
}

let python: Promise<string> | undefined;

/**
 * @param data its folder
 * @param flags further arguments of its command line
 * @throws Error when it does not start, for example because another one serves the folder
 */
export async function startFront(data: string, ...flags: string[]): Promise<Front> {
  python ??= findPython();
  const child = spawn(await python, ['-m', 'qdrant_front', '--port', '0', '--data', data, ...flags], {
    env: { ...process.env, PYTHONPATH: FRONT, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [Buffer | number];
  const url = /http:\S+/.exec(String(line))?.[0];
  if (!url) throw new Error(`the front did not start: ${String(line)}`);
  return { process: child, url };
}

/** @returns its exit status; null when the signal ended it */
export async function stopFront(front: Front, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  const exited = once(front.process, 'exit') as Promise<[number | null]>;
  front.process.kill(signal);
  return (await exited)[0];
}

export function connect(front: Front, apiKey?: string): QdrantClient {
  const headers = { 'accept-encoding': 'identity', ...(apiKey && { 'api-key': apiKey }) };
  return new QdrantClient({ url: front.url, checkCompatibility: false, headers });
}

/** A front, and a client of it. */
export interface SharedFront {
  /** A folder for the front's data and for that of others. */
  readonly dir: string;
  readonly front: Front;
  readonly client: QdrantClient;
}

/**
 * Starts a front before the tests of a `describe` and stops it after them; nothing that it was given outlives its test.
 *
 * @param purpose part of the folder's name
 * @param started gets the front, before the first test
 */
export function shareFront(purpose: string, started: (shared: SharedFront) => void): void {
  let shared: SharedFront;
  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), `ferry-qdrant-${purpose}-`));
    const front = await startFront(join(dir, 'shared'));
    shared = { dir, front, client: connect(front) };
    started(shared);
  });
  afterEach(async () => {
    await send(shared.front, 'DELETE', '/front/faults');
    const { aliases } = await shared.client.getAliases();
    const actions = aliases.map(({ alias_name }) => ({ delete_alias: { alias_name } }));
    if (actions.length > 0) await shared.client.updateCollectionAliases({ actions });
    const { collections } = await shared.client.getCollections();
    for (const { name } of collections) await shared.client.deleteCollection(name);
  });
  after(async () => {
    await stopFront(shared.front);
    await rm(shared.dir, { recursive: true, force: true });
  });
}

export interface Reply {
  readonly status: number;
  readonly error?: string;
  readonly result?: unknown;
}

/** For bodies that the client's types or its JSON encoder would not let through. */
export async function send(front: Front, method: string, path: string, body?: unknown): Promise<Reply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(`${front.url}${path}`, { method, ...(body !== undefined && { body: text }) });
  const reply = (await response.json()) as { result?: unknown; status: { error?: string } };
  return {
    status: response.status,
    result: reply.result,
    ...(reply.status.error && { error: reply.status.error }),
  };
}

/** @returns the HTTP status of the error that the client throws */
export async function refusal(promise: Promise<unknown>): Promise<number> {
  try {
    await promise;
  } catch (error) {
    return (error as { status: number }).status;
  }
  throw new Error('the request was not refused');
}

/** Creates a collection as a migration does: a dense vector `child` and a sparse one. */
export function createMemos(client: QdrantClient, name: string): Promise<boolean> {
  return client.createCollection(name, {
    vectors: { child: { size: DIMENSIONS, distance: 'Cosine', on_disk: true } },
    sparse_vectors: { 'child-sparse': { modifier: 'idf', index: { on_disk: true } } },
    hnsw_config: { m: 16, ef_construct: 100, on_disk: true },
    metadata: { model: 'text-embedding-3-small', bm25: BM25 },
  });
}

/** A text for the sparse vector, embedded by the engine. */
export const document = (text: string) => ({ text, model: 'qdrant/bm25', options: BM25 });

export const pointId = (ordinal: number) => `00000000-0000-5000-8000-${String(ordinal).padStart(12, '0')}`;

export const sorted = (points: { id: string | number }[]) => points.map(({ id }) => String(id)).sort();
