import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/**
 * A process beyond doubt: a pid alone may have been given to another program since. The start time (clock ticks since
 * boot) together with the boot's own id never comes back.
 */
export interface ProcessIdentity {
  pid: number;
  startedAt: string;
}

interface ProcessRow {
  state: string;
  parentPid: number;
  startTicks: string;
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

function readRow(pid: number): ProcessRow | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may itself hold blanks and brackets.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', parentPid: Number(fields[1]), startTicks: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** The identity of a process that is running now, or undefined. A zombie has ended. */
export function identify(pid: number): ProcessIdentity | undefined {
  const row = readRow(pid);
  if (row === undefined || row.state === 'Z' || row.state === 'X') return undefined;
  return { pid, startedAt: `${row.startTicks}@${bootId()}` };
}

/** True while this very process runs. */
export function isAlive(process: ProcessIdentity): boolean {
  return identify(process.pid)?.startedAt === process.startedAt;
}

/** Every process id on this machine that this user can see. */
export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The processes below the given ones, themselves included, as far as they are running. */
export function withDescendants(roots: readonly ProcessIdentity[]): ProcessIdentity[] {
  const childrenOf = new Map<number, number[]>();
  for (const pid of allPids()) {
    const parentPid = readRow(pid)?.parentPid;
    if (parentPid === undefined) continue;
    childrenOf.set(parentPid, [...(childrenOf.get(parentPid) ?? []), pid]);
  }
  const found = new Map<number, ProcessIdentity>();
  const queue = roots.filter(isAlive).map((root) => root.pid);
  for (let pid = queue.shift(); pid !== undefined; pid = queue.shift()) {
    const identity = found.has(pid) ? undefined : identify(pid);
    if (identity === undefined) continue;
    found.set(pid, identity);
    queue.push(...(childrenOf.get(pid) ?? []));
  }
  return [...found.values()];
}

/** Sends a signal, at once, to a process that is ours beyond doubt and to everything below it. */
export function signalTree(pid: number | undefined, signal: NodeJS.Signals): void {
  const root = pid === undefined ? undefined : identify(pid);
  for (const target of root === undefined ? [] : withDescendants([root])) sendSignal(target, signal);
}

/** Does nothing when that process has ended. */
export function sendSignal(target: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isAlive(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The processes, other than this one, whose working directory is the folder or lies below it. */
export function pidsWorkingIn(dir: string): number[] {
  return allPids().filter((pid) => {
    try {
      return pid !== process.pid && `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${dir}/`);
    } catch {
      return false;
    }
  });
}
