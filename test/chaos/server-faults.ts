import { setTimeout as sleep } from 'node:timers/promises';
import type { ServiceName } from '../../src/stack/service.ts';
import type { Fault, Infliction } from './fault.ts';
import type { Stage } from './stage.ts';
import { undone } from './undone.ts';

/** Without these, vectors that are paid do not reach those who wait for them. */
const CARRIERS: readonly ServiceName[] = ['temporal', 'embeddings'];

/** SIGKILL to servers at once, and a start after a while. */
export async function killServers(
  { services, durationMs }: Extract<Fault, { does: 'server-kill' }>,
  stage: Stage,
): Promise<void> {
  const { stack } = stage.arena.lab;
  // Attempts that the Temporal server gives up go on until they notice, beside those that begin anew.
  const carries = services.some((name) => CARRIERS.includes(name));
  const lookedOn = carries ? stage.crew.lookOn() : undefined;
  await Promise.all(services.map((name) => stack.kill(name)));
  await sleep(durationMs);
  // PostgREST's database comes before it.
  const inOrder = [...services].sort((a, b) => Number(a === 'postgrest') - Number(b === 'postgrest'));
  for (const name of inOrder) await startAgain(name, stage);
  if (lookedOn !== undefined) {
    await sleep(stage.settleMs);
    await lookedOn();
  }
}

/** Fills the disk of a server and frees it again; a server that has ended of it is started, as its supervisor would. */
export async function fillDisk(
  { service, durationMs }: Extract<Fault, { does: 'full-disk' }>,
  stage: Stage,
): Promise<Infliction> {
  const { disks, lab } = stage.arena;
  if (disks === null) return { hit: false, detail: 'not run: full disk' };
  const lookedOn = CARRIERS.includes(service) ? stage.crew.lookOn() : undefined;
  disks.fill(service);
  await sleep(durationMs);
  const left = disks.freeBytes(service);
  disks.free(service);
  if (!(await isRunning(service, stage))) {
    await lab.stack.kill(service);
    await startAgain(service, stage);
  }
  if (lookedOn !== undefined) {
    await sleep(stage.settleMs);
    await lookedOn();
  }
  return { hit: left === 0, detail: `${left} bytes left to ${service}` };
}

async function isRunning(service: ServiceName, { arena: { lab } }: Stage): Promise<boolean> {
  const processes = lab.stack.state().services[service]?.processes ?? [];
  return Promise.resolve(processes.every(({ pid }) => exists(pid)));
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function startAgain(name: ServiceName, { arena: { lab }, latencyMs }: Stage): Promise<void> {
  // Of two faults at once, the other may have started it already, or fill its disk.
  for (const deadline = performance.now() + 120_000; ; await sleep(500)) {
    try {
      await lab.stack.start(name);
      break;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
  }
  if (name === 'embeddings') await undone(() => lab.embeddings.behave({ latencyMs }));
}
