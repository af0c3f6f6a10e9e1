import { setTimeout as sleep } from 'node:timers/promises';
import type { Seen } from './crew.ts';
import type { Fault, Infliction } from './fault.ts';
import type { Stage } from './stage.ts';
import type { ProxyAnswer } from './proxy.ts';

/** Resets the connections to a server again and again. */
export async function cutLink(
  { link, everyMs, durationMs }: Extract<Fault, { does: 'cut' }>,
  stage: Stage,
): Promise<Infliction> {
  const { links } = stage.arena;
  const counts: Promise<void>[] = [];
  const seen: Seen = new Set();
  const lookedOn = link === 'temporal' ? stage.crew.lookOn() : undefined;
  let connections = 0;
  for (const until = performance.now() + durationMs; performance.now() < until; await sleep(everyMs)) {
    const told = await links.cut(link);
    connections += told.connections;
    counts.push(countLost(link, told, stage, seen));
  }
  await Promise.all(counts);
  await settled(lookedOn, stage);
  return { hit: connections > 0, detail: `${connections} connections to ${link}` };
}

/** Makes a link slow or silent. What was silent is cut in the end. */
export async function troubleLink(
  { link, trouble, durationMs }: Extract<Fault, { does: 'trouble' }>,
  stage: Stage,
): Promise<Infliction> {
  const { links } = stage.arena;
  const lookedOn = link === 'temporal' ? stage.crew.lookOn() : undefined;
  const before = await links.trouble(link, trouble);
  await sleep(durationMs);
  const after = trouble.isBlackHole === true ? await links.cut(link) : undefined;
  const { bytes, connections } = await links.trouble(link, {});
  if (after !== undefined) await countLost(link, after, stage, new Set());
  await settled(lookedOn, stage);
  const met = bytes - before.bytes;
  return {
    hit: met > 0 && connections + before.connections > 0,
    detail: `${met} bytes on the way to or from ${link}`,
  };
}

/** Of an answer that was on its way through the proxy the server cannot know that it was lost. */
async function countLost(link: string, told: ProxyAnswer, { crew }: Stage, seen: Seen): Promise<void> {
  const pids = crew.all().map(({ pid }) => pid);
  if (link === 'embeddings' && told.unread > 0) await crew.count(pids, seen);
}

/** Attempts that the Temporal server has given up go on until they notice, beside those that begin anew. */
async function settled(lookedOn: (() => Promise<void>) | undefined, { settleMs }: Stage): Promise<void> {
  if (lookedOn === undefined) return;
  await sleep(settleMs);
  await lookedOn();
}
