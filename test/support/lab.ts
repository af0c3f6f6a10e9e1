import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import mysql from 'mysql2/promise';
import { connectTemporal, type OpenClient } from '../../src/client/connect.ts';
import { snapshotMigration, type Snapshot } from '../../src/client/snapshot.ts';
import type { MigrationResult } from '../../src/job/job.ts';
import { runAudit, type AuditOptions, type AuditReport } from './audit.ts';
import { EmbeddingsControl, QdrantControl } from './control.ts';
import { ownStack, type OwnStack } from './stack.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What a command left behind. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A worker process of the product, started as users start it. */
export interface WorkerProcess {
  readonly pid: number;
  /** SIGKILL unless another signal is asked for; returns when it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** All that it has logged. */
  log(): string;
}

/** The product on a stack of its own, driven from outside: processes, SQL and HTTP. */
export class Lab {
  readonly stack: OwnStack;
  readonly env: Readonly<Record<string, string>>;
  readonly sql: mysql.Pool;
  readonly embeddings: EmbeddingsControl;
  readonly qdrant: QdrantControl;
  readonly #temporal: OpenClient;
  readonly #workers = new Set<WorkerProcess>();
  readonly #dir: string;

  private constructor(stack: OwnStack, temporal: OpenClient, env: Record<string, string>, dir: string) {
    this.stack = stack;
    this.env = env;
    this.#temporal = temporal;
    this.#dir = dir;
    this.sql = mysql.createPool({
      host: env['MYSQL_HOST'] ?? '',
      port: Number(env['MYSQL_PORT']),
      user: env['MYSQL_USER'] ?? '',
      password: env['MYSQL_PASSWORD'] ?? '',
      database: env['MYSQL_DATABASE'] ?? '',
      supportBigNumbers: true,
      bigNumberStrings: true,
    });
    this.embeddings = new EmbeddingsControl(env['OPENAI_BASE_URL'] ?? '');
    this.qdrant = new QdrantControl(env['QDRANT_URL'] ?? '', env['QDRANT_API_KEY'] ?? '');
  }

  /**
   * @param settings the product's settings, on top of the stack's addresses and a heartbeat every 2 s
   * @param given the stack, closed with the lab; by default a new one
   */
  static async open(settings: Record<string, string> = {}, given?: OwnStack): Promise<Lab> {
    const stack = given ?? (await ownStack());
    const { PATH = '', HOME = '', XDG_CACHE_HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
    const own = stack.environment() as Record<string, string>;
    const user = { PATH, HOME, XDG_CACHE_HOME, NODE_COMPILE_CACHE };
    const env = { ...user, ...own, WORKER_HEARTBEAT_INTERVAL: '2', ...settings };
    const temporal = await connectTemporal({
      connectionOptions: { address: own['TEMPORAL_ADDRESS'] ?? '' },
      namespace: own['TEMPORAL_NAMESPACE'] ?? '',
    });
    // A folder without a .env file: commands read it from where they stand.
    return new Lab(stack, temporal, env, mkdtempSync(join(tmpdir(), 'ferry-lab-')));
  }

  get client(): Client {
    return this.#temporal.client;
  }

  /** Starts a worker and waits until it polls. @param sources folder that its `src` is in; by default this one */
  async worker(settings: Record<string, string> = {}, sources = root): Promise<WorkerProcess> {
    const child = spawn(process.execPath, [join(sources, 'src/worker.ts')], {
      cwd: this.#dir,
      env: { ...this.env, ...settings },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    child.stderr.on('data', (data: Buffer) => (log += data.toString()));
    const exited = once(child, 'exit');
    const worker: WorkerProcess = {
      pid: child.pid ?? 0,
      kill: async (signal = 'SIGKILL') => {
        this.#workers.delete(worker);
        if (child.exitCode === null && child.signalCode === null) child.kill(signal);
        await exited;
      },
      log: () => log,
    };
    this.#workers.add(worker);
    try {
      await until('the worker polls', 60_000, () => {
        if (child.exitCode !== null) throw new Error(`The worker ended with ${child.exitCode}:\n${log}`);
        return log.includes('"RUNNING"');
      });
    } catch (error) {
      // One that nobody knows of would work all the same, once it can.
      await worker.kill();
      throw error;
    }
    return worker;
  }

  /** Runs `ferry` with these arguments to its end. */
  async ferry(...args: string[]): Promise<CommandResult> {
    return this.ferryWith({}, ...args);
  }

  /** Runs `ferry` with other settings. */
  async ferryWith(settings: Record<string, string>, ...args: string[]): Promise<CommandResult> {
    return this.#run(process.execPath, [join(root, 'src/cli.ts'), ...args], settings);
  }

  /** Runs the `temporal` CLI in the stack's namespace. */
  async temporal(...args: string[]): Promise<CommandResult> {
    const binary = this.stack.state().services.temporal?.connection['cli'] ?? 'temporal';
    const { TEMPORAL_ADDRESS = '', TEMPORAL_NAMESPACE = '' } = this.env;
    return this.#run(binary, [...args, '--address', TEMPORAL_ADDRESS, '--namespace', TEMPORAL_NAMESPACE]);
  }

  /** The job's end. */
  async result(name = 'ip_summary-to-memos'): Promise<MigrationResult> {
    return (await this.client.workflow.getHandle(`migration-${name}`).result()) as MigrationResult;
  }

  /** Starts a job with `ferry start` and waits for its end; without preflight, which would pay for a word. */
  async migrate(...args: string[]): Promise<MigrationResult> {
    const started = await this.ferry('start', '--detach', '--no-preflight', ...args);
    if (started.code !== 0) throw new Error(`ferry start ended with ${started.code}: ${started.stderr}`);
    return this.result();
  }

  async snapshot(name = 'ip_summary-to-memos'): Promise<Snapshot> {
    return snapshotMigration(this.client, name);
  }

  async audit(options: Partial<AuditOptions> = {}): Promise<AuditReport> {
    return runAudit({ env: this.env, source: 'ferry/ip_summary', ...options });
  }

  /** Rows of a table of the ledger. @param query PostgREST's, e.g. `ingestion_batch?order=batch_number` */
  async ledger<T>(query: string): Promise<T[]> {
    const { SUPABASE_URL = '', SUPABASE_KEY = '' } = this.env;
    const response = await fetch(`${SUPABASE_URL}/rest/v1/${query}`, {
      headers: { apikey: SUPABASE_KEY, authorization: `Bearer ${SUPABASE_KEY}` },
    });
    if (!response.ok) throw new Error(`PostgREST answered ${response.status}`);
    return (await response.json()) as T[];
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.kill()));
    await this.sql.end();
    await this.#temporal.close();
    await this.stack.close();
    rmSync(this.#dir, { recursive: true });
  }

  async #run(
    program: string,
    args: readonly string[],
    settings: Record<string, string> = {},
  ): Promise<CommandResult> {
    const env = { ...this.env, ...settings };
    const child = spawn(program, args, { cwd: this.#dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null]>,
    ]);
    return { code, stdout, stderr };
  }
}

/** Waits until the condition holds, asking five times a second. @throws Error naming what did not happen */
export async function until(
  what: string,
  timeoutMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline;) {
    if (await condition()) return;
    await sleep(200);
  }
  throw new Error(`Not within ${timeoutMs / 1_000} s: ${what}`);
}
