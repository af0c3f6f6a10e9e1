import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Lab, until, type WorkerProcess } from '../support/lab.ts';
import { createTable, distinctRows, insertRows, snowflake, updateRow } from '../support/rows.ts';

const DEADLY_ROW = new URL('../support/deadly-row.ts', import.meta.url).href;
const ROWS = 12;
const JOB = 'ip_summary-to-memos';

/** The embedding service, seen by somebody who knows which worker asks for what. */
class Embeddings {
  /** Called with the worker that gets it when an answer is there and has not been passed on. */
  onAnswer: (pid: number) => void = () => undefined;
  readonly #server: Server;
  readonly #behind: string;

  constructor(behind: string) {
    this.#behind = behind.replace(/\/v1$/, '');
    this.#server = createServer((request, response) => {
      void this.#pass(request).then(({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' }).end(body);
      });
    });
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #pass(request: IncomingMessage): Promise<{ status: number; body: string }> {
    const body = await text(request);
    const { 'user-agent': client = '', authorization = '' } = request.headers;
    const answer = await fetch(`${this.#behind}${request.url}`, {
      method: request.method ?? 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': client, authorization },
      body,
    });
    const passed = { status: answer.status, body: await answer.text() };
    this.onAnswer(Number(/\((\d+)@/.exec(client)?.[1]));
    return passed;
  }
}

let lab: Lab;
let embeddings: Embeddings;
let settings: Record<string, string>;
before(async () => {
  lab = await Lab.open({ BATCH_SIZE: String(ROWS), WORKER_HEARTBEAT_INTERVAL: '2' });
  embeddings = new Embeddings(lab.env['OPENAI_BASE_URL'] ?? '');
  settings = { OPENAI_BASE_URL: await embeddings.listen() };
});
after(async () => {
  embeddings.close();
  await lab.close();
});

/** @param first index of the first row: rows of their own for each test, of which the target has none yet */
async function fill(first: number): Promise<void> {
  await createTable(lab.sql);
  await insertRows(lab.sql, distinctRows(ROWS, first));
}

test('a row that kills its workers fails alone, and its batch goes on', async () => {
  await fill(0);
  const poisoned = snowflake(2);
  await updateRow(lab.sql, { id: poisoned, tenant: 'acme', content: 'a deadly-poisonous row' });
  const deadly = { NODE_OPTIONS: `--import=${DEADLY_ROW}`, DEADLY_WORD: 'deadly-poisonous' };
  let deaths = 0;
  // A supervisor starts another worker for each that dies.
  const over = new AbortController();
  const supervised = Promise.all(
    [1, 2].map(async () => {
      while (!over.signal.aborted) {
        const worker = await lab.worker(deadly);
        await gone(worker, over.signal);
        if (over.signal.aborted) await worker.kill('SIGTERM');
        else deaths++;
      }
    }),
  );
  const { status, totals } = await lab.migrate();
  // What an attempt had written before it was lost counts as unchanged.
  assert.deepEqual([status, totals.written + totals.unchanged, totals.failed], ['completed', ROWS - 1, 1]);
  // Two to become suspicious, two to be sure; a machine that is too busy for heartbeats may add to that.
  assert.ok(deaths >= 4 && deaths <= 6, `${deaths} deaths`);
  const failures = await lab.ledger<Record<string, unknown>>('ingestion_failure?select=record_id::text,code');
  assert.deepEqual(failures, [{ record_id: String(poisoned), code: 'worker_lost' }]);
  assert.equal((await lab.audit({ failedIds: [poisoned] })).ok, true);

  over.abort();
  await supervised;
  const cured = await lab.worker();
  const healed = await lab.migrate();
  await cured.kill('SIGTERM');
  assert.deepEqual([healed.totals.written, healed.totals.failed], [1, 0]);
  assert.equal((await lab.audit()).ok, true);
});

test('a worker that was stopped and goes on beside its successor writes nothing any more', async () => {
  await fill(100);
  let zombie: WorkerProcess | null = null;
  const stopped = new Promise<void>((resolve) => {
    embeddings.onAnswer = (pid) => {
      if (pid !== zombie?.pid) return;
      // It holds what it has paid for, and is about to write it.
      process.kill(pid, 'SIGSTOP');
      resolve();
    };
  });
  zombie = await lab.worker(settings);
  const { code, stderr } = await lab.ferry('start', '--detach', '--no-preflight', '--prune');
  assert.equal(code, 0, stderr);
  await stopped;
  embeddings.onAnswer = () => undefined;
  await updateRow(lab.sql, { id: snowflake(100), tenant: 'acme', content: 'edited meanwhile' });
  await lab.sql.query('DELETE FROM ip_summary WHERE id = ?', [String(snowflake(101))]);

  await lab.worker(settings);
  assert.equal((await lab.result(JOB)).status, 'completed');
  const before = await lab.qdrant.counters();
  process.kill(zombie.pid, 'SIGCONT');
  await until('the stopped worker has noticed', 30_000, () =>
    /"error":"LeaseLost"/.test(zombie?.log() ?? ''),
  );
  await sleep(1_000);
  assert.deepEqual(await lab.qdrant.counters(), before);
  assert.equal((await lab.audit()).ok, true);
});

async function gone({ pid }: WorkerProcess, over: AbortSignal): Promise<void> {
  const isThere = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  while (!over.aborted && isThere()) await sleep(50);
}
