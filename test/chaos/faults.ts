import { setTimeout as sleep } from 'node:timers/promises';
import { inflictOnEmbeddings } from './embeddings-faults.ts';
import { KILLS } from './fault-draws.ts';
import type { Fault, Infliction } from './fault.ts';
import { cutLink, troubleLink } from './link-faults.ts';
import { deadlock, killQueries, lockTable } from './source-faults.ts';
import { fillDisk, killServers } from './server-faults.ts';
import type { Stage } from './stage.ts';
import { undone } from './undone.ts';

/** A fault waits so long for work to meet; a kill has to. */
const KILL_PATIENCE_MS = 30_000;
const OTHER_PATIENCE_MS = 6_000;

/** Does it, waits for as long as it lasts, and undoes it. */
export async function inflict(fault: Fault, stage: Stage): Promise<Infliction> {
  const isKill = Object.hasOwn(KILLS, fault.kind);
  const batches = await stage.work(isKill ? KILL_PATIENCE_MS : OTHER_PATIENCE_MS);
  const met = { hit: batches > 0, detail: `${batches} batches in hand` };
  const { lab } = stage.arena;
  switch (fault.does) {
    case 'worker-kill':
    case 'worker-term':
    case 'all-workers-kill':
      return endWorkers(fault, stage, met);
    case 'worker-stop':
    case 'clock-jump':
      return disturbWorker(fault, stage, met);
    case 'server-kill':
      await killServers(fault, stage);
      return met;
    case 'embeddings':
    case 'spoil':
      return inflictOnEmbeddings(fault, stage);
    case 'qdrant':
      return inflictOnQdrant(fault, stage);
    case 'cut':
      return cutLink(fault, stage);
    case 'trouble':
      return troubleLink(fault, stage);
    case 'killed-query':
      return killQueries(lab.sql, fault.durationMs);
    case 'deadlock':
      return deadlock(lab.sql, fault.durationMs);
    case 'locked-table':
      return lockTable(lab.sql, fault.durationMs);
    case 'full-disk':
      return fillDisk(fault, stage);
  }
}

async function endWorkers(fault: Fault, { crew, signal }: Stage, met: Infliction): Promise<Infliction> {
  const one = crew.pick();
  if (one === undefined) return { hit: false, detail: 'nobody worked' };
  const victims = fault.does === 'all-workers-kill' ? crew.all() : [one];
  const before = crew.inHand;
  await crew.dismiss(victims, fault.does === 'worker-term' ? 'SIGTERM' : 'SIGKILL');
  await sleep(fault.durationMs);
  await Promise.all(victims.map(() => crew.hire(signal)));
  return { ...met, detail: `${met.detail}, ${crew.inHand - before} inputs` };
}

async function disturbWorker(
  fault: Extract<Fault, { does: 'worker-stop' | 'clock-jump' }>,
  { crew }: Stage,
  met: Infliction,
): Promise<Infliction> {
  const victim = crew.pick();
  if (victim === undefined) return { hit: false, detail: 'nobody worked' };
  if (fault.does === 'clock-jump') {
    crew.setClock(victim, fault.byMs);
    await sleep(fault.durationMs);
    crew.setClock(victim, 0);
    return { ...met, detail: `${met.detail}, by ${Math.round(fault.byMs / 1_000)} s` };
  }
  try {
    process.kill(victim.pid, 'SIGSTOP');
    const begin = performance.now();
    await crew.count([victim.pid]);
    await sleep(Math.max(0, begin + fault.durationMs - performance.now()));
  } finally {
    try {
      process.kill(victim.pid, 'SIGCONT');
    } catch {
      // Another fault has killed it meanwhile; nothing stops what is gone.
    }
  }
  return met;
}

async function inflictOnQdrant(
  fault: Extract<Fault, { does: 'qdrant' }>,
  { arena: { lab } }: Stage,
): Promise<Infliction> {
  const isSet = await lab.qdrant.fault(fault.fault).then(
    () => true,
    () => false,
  );
  await sleep(fault.durationMs);
  const left = await lab.qdrant.faults().catch(() => undefined);
  await undone(() => lab.qdrant.clearFaults());
  const planned = Number(fault.fault['count']);
  const met =
    isSet && left !== undefined ? planned - left.reduce((sum, { count }) => sum + (count ?? 0), 0) : 0;
  return { hit: met > 0, detail: `${Math.max(0, met)} requests` };
}
