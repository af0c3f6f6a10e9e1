import pc from 'picocolors';
import { summary } from '../src/cli/render.ts';
import type { Snapshot } from '../src/client/snapshot.ts';
import type { Stack } from '../src/stack/stack.ts';
import { formatAudit, runAudit } from '../test/support/audit.ts';
import type { CorpusRow } from './corpus.ts';
import { follow, type OnProgress } from './follow.ts';
import { batchTable, jobTable } from './ledger.ts';
import { loadCorpus } from './load.ts';
import { count, mention, since, step, tell } from './output.ts';
import type { Place } from './place.ts';
import { showSearch } from './search.ts';
import { bringUp, workflowsUrl } from './servers.ts';
import { startWorker, type DemoWorker } from './worker.ts';

/** Every answer of the embeddings server takes as long, so that there is a halfway to kill a worker at. */
const LATENCY_MS = 1_500;

const ENGLISH = 'How do I reuse HTTP connections?';
const CHINESE = '机器突然断电，工作流从哪里继续执行？';

/** A run that has ended. */
export interface Run {
  readonly jobId: string;
  readonly snapshot: Snapshot;
}

export async function startServers(dir: string, signal: AbortSignal): Promise<Stack> {
  step('Start the servers');
  tell(
    [
      'MySQL (here MariaDB): where the rows are. Qdrant: where they go. OpenAI: an offline stand-in makes the vectors.',
      'Temporal drives the work and remembers it. Supabase (PostgreSQL and PostgREST) mirrors the progress.',
    ].join('\n'),
  );
  const begin = Date.now();
  const stack = await bringUp(dir, ({ service, message }) => {
    if (!signal.aborted) mention(`${(service ?? '').padEnd(11)}${message}`);
  });
  signal.throwIfAborted();
  tell(`All six answer after ${since(begin)}.`);
  return stack;
}

export async function loadRows({ env }: Place, rows: readonly CorpusRow[]): Promise<void> {
  step(`Load ${count(rows.length)} rows into the table ip_summary`);
  await loadCorpus(
    {
      host: env['MYSQL_HOST'],
      port: Number(env['MYSQL_PORT']),
      user: env['MYSQL_USER'],
      password: env['MYSQL_PASSWORD'],
      database: env['MYSQL_DATABASE'],
    },
    rows,
  );
  const empty = rows.filter(({ parse_content }) => (parse_content ?? '').trim() === '').length;
  const longest = Math.max(...rows.map(({ parse_content }) => parse_content?.length ?? 0));
  tell(
    [
      'Readmes, guides, changelogs and documentation comments of the installed npm packages, with Chinese, Japanese,',
      `Thai and emoji between them; ${empty} rows without text, the longest with ${count(longest)} characters.`,
      `Ids from ${rows[0]?.id} to ${rows.at(-1)?.id}: no double can hold them.`,
    ].join('\n'),
  );
}

/** Migrates, and kills the worker when half of the records are done. */
export async function migrateWithKill(
  place: Place,
  signal: AbortSignal,
  onWorker: (worker: DemoWorker) => void,
): Promise<Run> {
  step('Migrate, and kill the worker halfway');
  await place.embeddings.behave({ latencyMs: LATENCY_MS });
  let worker = await startWorker(place, signal);
  onWorker(worker);
  tell(`Each batch can be watched in Temporal's UI meanwhile: ${workflowsUrl(place.stack)}`);
  tell(`Worker 1 (process ${worker.pid}) waits for work.`);
  let hasKilled = false;
  const run = await start(place, signal, async ({ plan, totals, batchesInHand }, announce) => {
    worker.check();
    const isHalfway = plan !== null && totals !== null && totals.records * 2 >= plan.records;
    if (hasKilled || !isHalfway || batchesInHand.length === 0) return;
    hasKilled = true;
    await worker.kill();
    announce(
      pc.yellow(
        `>> Halfway. Worker 1 is killed with SIGKILL (kill -9), with ${batchesInHand.length} batches in its hands. Another one starts.`,
      ),
    );
    worker = await startWorker(place, signal);
    onWorker(worker);
    announce(pc.yellow(`>> Worker 2 (process ${worker.pid}) goes on where worker 1 was.`));
  });
  if (!hasKilled) throw new Error('The migration ended before its worker could be killed; try more --rows.');
  tell(summary(run.snapshot));
  const { inputs, distinctTexts } = await place.embeddings.counters();
  tell(
    [
      `By the embeddings server's own count ${count(inputs)} inputs were paid, for ${count(distinctTexts)} distinct texts: the sum above lacks`,
      'what worker 1 had in hand when it died, and a text that stands in several batches is paid in each.',
    ].join('\n'),
  );
  return run;
}

/** Migrates again. @returns whether nothing was embedded and nothing written, as the two servers count it */
export async function migrateAgain(place: Place, signal: AbortSignal): Promise<boolean> {
  step('Run it again: what is done costs nothing');
  await place.embeddings.behaveNormally();
  const [paid, points] = await Promise.all([place.embeddings.counters(), place.qdrant.counters()]);
  const { snapshot } = await start(place, signal);
  const [paidNow, pointsNow] = await Promise.all([place.embeddings.counters(), place.qdrant.counters()]);
  const inputs = paidNow.inputs - paid.inputs;
  const touched =
    pointsNow.written -
    points.written +
    pointsNow.changed -
    points.changed +
    pointsNow.deleted -
    points.deleted;
  tell(
    `${snapshot.status}: ${count(snapshot.totals?.unchanged ?? 0)} records unchanged. ` +
      `By the servers' own counters: ${count(inputs)} inputs embedded, ${count(touched)} points written, changed or deleted.`,
  );
  return snapshot.status === 'completed' && inputs === 0 && touched === 0;
}

/** @returns whether the audit found nothing missing, extra or wrong */
export async function audit({ env }: Place, { jobId }: Run): Promise<boolean> {
  step('Prove it');
  tell(
    [
      'An audit in Python that shares no code with the product compares every row with its points: text covered without',
      'a gap, sizes, ids, vectors computed again, nothing left over. And the ledger with both.',
    ].join('\n'),
  );
  const report = await runAudit({ env, source: 'ferry/ip_summary', jobId });
  tell(formatAudit(report));
  return report.ok;
}

export async function search(
  place: Place,
  rows: readonly CorpusRow[],
  signal: AbortSignal,
): Promise<boolean> {
  step('Search what has arrived: by meaning (vectors) and by words (BM25), fused');
  const english = await showSearch(place, rows, ENGLISH, signal);
  const chinese = await showSearch(place, rows, CHINESE, signal);
  return english > 0 && chinese > 0;
}

export async function showLedger(place: Place, run: Run): Promise<void> {
  step('What Supabase knows about it');
  tell('ingestion_job:');
  tell(await jobTable(place));
  tell('ingestion_batch, first those that the kill interrupted, then the last ones:');
  tell(await batchTable(place, run.jobId, 8));
}

async function start(place: Place, signal: AbortSignal, onProgress?: OnProgress): Promise<Run> {
  tell('$ ferry start --no-preflight');
  // Preflight embeds a word, and these counts are to show what the run alone pays.
  const { name, jobId } = JSON.parse(await place.ferry('start', '--detach', '--json', '--no-preflight')) as {
    name: string;
    jobId: string;
  };
  return { jobId, snapshot: await follow(place, name, signal, onProgress) };
}
