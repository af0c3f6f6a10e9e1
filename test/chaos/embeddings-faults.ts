import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddingsControl } from '../support/control.ts';
import type { Stage } from './stage.ts';
import { undone } from './undone.ts';
import type { Fault, Infliction } from './fault.ts';

/** How the server behaves without the setting; faults may overlap, so each takes back its own settings only. */
const NORMAL: Readonly<Record<string, unknown>> = { rpm: null, tpm: null, retryAfter: true, outage: null };

/** Makes the service answer badly. */
export async function inflictOnEmbeddings(
  fault: Extract<Fault, { does: 'embeddings' | 'spoil' }>,
  { arena, latencyMs }: Stage,
): Promise<Infliction> {
  const { embeddings } = arena.lab;
  const behaviour =
    fault.does === 'embeddings' ? fault.behaviour : { spoil: { how: fault.how, count: fault.count } };
  const normal = Object.fromEntries(Object.keys(behaviour).map((key) => [key, NORMAL[key] ?? null]));
  if ('latencyMs' in normal) normal['latencyMs'] = latencyMs;
  const before = await met(embeddings);
  await embeddings.behave(behaviour).catch(() => undefined);
  await sleep(fault.durationMs);
  const after = await met(embeddings);
  await undone(() => embeddings.behave(normal));
  if (before === undefined || after === undefined) return { hit: false, detail: 'the server was away' };
  const count =
    fault.does === 'spoil'
      ? after.spoilt - before.spoilt
      : 'latencyMs' in behaviour
        ? after.paid - before.paid
        : after.refused - before.refused;
  const what = fault.does === 'spoil' ? 'inputs' : 'requests';
  return { hit: count > 0, detail: `${count} ${what}` };
}

async function met(
  embeddings: EmbeddingsControl,
): Promise<{ paid: number; refused: number; spoilt: number } | undefined> {
  try {
    const { requests, paidRequests, spoiltInputs } = await embeddings.counters();
    return { paid: paidRequests, refused: requests - paidRequests, spoilt: spoiltInputs };
  } catch {
    return undefined;
  }
}
