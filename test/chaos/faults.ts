import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceName } from '../../src/stack/service.ts';
import type { Lab } from '../support/lab.ts';
import type { Crew } from './crew.ts';
import type { Fault } from './scenario.ts';

/** Without these, vectors that are paid do not reach those who wait for them. */
const CARRIERS: readonly ServiceName[] = ['temporal', 'embeddings'];

/** Does it, waits for as long as it lasts, and undoes it. */
export async function inflict(fault: Fault, lab: Lab, crew: Crew, signal: AbortSignal): Promise<void> {
  const pause = (): Promise<void> => sleep(fault.durationMs);
  switch (fault.kind) {
    case 'worker-kill':
    case 'worker-term': {
      const victim = crew.pick();
      if (victim === undefined) return;
      await crew.dismiss([victim], fault.kind === 'worker-kill' ? 'SIGKILL' : 'SIGTERM');
      await pause();
      return crew.hire(signal);
    }
    case 'all-workers-kill': {
      const victims = crew.all();
      await crew.dismiss(victims, 'SIGKILL');
      await pause();
      await Promise.all(victims.map(() => crew.hire(signal)));
      return;
    }
    case 'worker-stop': {
      const victim = crew.pick();
      if (victim === undefined) return;
      process.kill(victim.pid, 'SIGSTOP');
      await crew.count([victim.pid]);
      await pause();
      process.kill(victim.pid, 'SIGCONT');
      return;
    }
    case 'server-kill':
      return killServers(fault, lab, crew);
    case 'embeddings':
      await lab.embeddings.behave(fault.behaviour).catch(() => undefined);
      await pause();
      return undone(() => lab.embeddings.behaveNormally());
    case 'qdrant':
      await lab.qdrant.fault(fault.fault).catch(() => undefined);
      await pause();
      return undone(() => lab.qdrant.clearFaults());
    case 'connections-cut':
      return cutConnections(lab);
  }
}

async function killServers(
  { services, durationMs }: Extract<Fault, { kind: 'server-kill' }>,
  lab: Lab,
  crew: Crew,
): Promise<void> {
  const carriesVectors = services.some((name) => CARRIERS.includes(name));
  await Promise.all(services.map((name) => lab.stack.kill(name)));
  await sleep(durationMs);
  // PostgREST's database comes before it.
  const inOrder = [...services].sort((a, b) => Number(a === 'postgrest') - Number(b === 'postgrest'));
  for (const name of inOrder) await lab.stack.start(name);
  // Attempts that the server gave up meanwhile begin anew, beside those that still run.
  if (carriesVectors) await crew.count();
}

/** Every connection of the product to the database. */
async function cutConnections(lab: Lab): Promise<void> {
  const [rows] = (await lab.sql.query('SHOW PROCESSLIST').catch(() => [[]])) as [
    { Id: number | string }[],
    unknown,
  ];
  const [own] = (await lab.sql.query('SELECT CONNECTION_ID() AS id').catch(() => [[]])) as [
    { id: number | string }[],
    unknown,
  ];
  for (const { Id: id } of rows) {
    if (String(id) !== String(own[0]?.id)) await lab.sql.query(`KILL ${Number(id)}`).catch(() => undefined);
  }
}

/** The server may be away for another reason; then it forgets by itself, or is asked again. */
async function undone(undo: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await undo();
    } catch {
      await sleep(300);
    }
  }
}
