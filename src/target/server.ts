import { Fault } from '../errors.ts';
import type { Send } from './connection.ts';

/** Oldest Qdrant whose interface the product uses (metadata of collections, BM25 by the server, has_vector). */
const OLDEST = [1, 16] as const;
/** The least that shows the machine. */
const DETAILS_LEVEL = 1;

/** Which Qdrant answers; asked without any permission. */
export async function serverVersion(
  send: Send,
  signal: AbortSignal,
): Promise<{ version: string; isSupported: boolean }> {
  // This reply has no envelope.
  const root = await send(signal, async (api, init) => ({
    data: { result: (await api.root({}, init)).data },
  }));
  const { title, version } = (typeof root === 'object' && root !== null ? root : {}) as Record<
    string,
    unknown
  >;
  const parts = typeof version === 'string' ? /^v?(\d+)\.(\d+)/.exec(version) : null;
  if (parts === null || typeof title !== 'string' || !/qdrant/i.test(title)) {
    throw new Fault('target_refused', 'the address does not answer as Qdrant does; check QDRANT_URL');
  }
  const [major, minor] = [Number(parts[1]), Number(parts[2])];
  return {
    version: version as string,
    isSupported: major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]),
  };
}

/** @returns what the machine has, or null if the server does not say: a key for one collection may not ask */
export async function serverCapacity(
  send: Send,
  signal: AbortSignal,
): Promise<{ memoryBytes: number; diskBytes: number } | null> {
  try {
    const { app } = await send(signal, (api, init) => api.telemetry({ details_level: DETAILS_LEVEL }, init));
    const system = (app as { system?: { ram_size?: unknown; disk_size?: unknown } | null } | null | undefined)
      ?.system;
    const [memory, disk] = [system?.ram_size, system?.disk_size];
    // Qdrant counts both in KiB.
    return typeof memory === 'number' && typeof disk === 'number'
      ? { memoryBytes: memory * 1024, diskBytes: disk * 1024 }
      : null;
  } catch (error) {
    // An older server, a narrow key or a proxy in front refuses; an outage is not an answer.
    if (error instanceof Fault && error.kind !== 'transient') {
      return null;
    }
    throw error;
  }
}
