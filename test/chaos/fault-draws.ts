import { SPOILINGS } from '../../src/stack/embeddings/spoiling.ts';
import type { ServiceName } from '../../src/stack/service.ts';
import { LINKS, type Fault } from './fault.ts';
import type { Random } from './random.ts';

const SERVERS: readonly ServiceName[] = [
  'temporal',
  'mariadb',
  'qdrant',
  'postgrest',
  'postgres',
  'embeddings',
];

const DAY_MS = 86_400_000;

/** Without its time and its kind. */
type Action = Fault extends infer F
  ? F extends Fault
    ? Omit<F, 'at' | 'durationMs' | 'kind'>
    : never
  : never;

/** How a fault of each kind is drawn. */
export type Draw = (random: Random) => Action;

/** Kinds that kill: a round begins with one of them. */
export const KILLS: Readonly<Record<string, Draw>> = {
  'worker SIGKILL': () => ({ does: 'worker-kill' }),
  'all workers SIGKILL': () => ({ does: 'all-workers-kill' }),
  ...Object.fromEntries(
    SERVERS.map((name) => [`${name} SIGKILL`, () => ({ does: 'server-kill', services: [name] }) as const]),
  ),
  'several servers SIGKILL': (random) => ({ does: 'server-kill', services: severalServers(random) }),
};

/** What a full disk is tried on. */
export const SMALL_DISKS: readonly ServiceName[] = ['qdrant', 'mariadb', 'postgres', 'temporal'];

/** All kinds, each as likely as any other. */
export const DRAWS: Readonly<Record<string, Draw>> = {
  ...KILLS,
  'worker SIGTERM': () => ({ does: 'worker-term' }),
  'worker SIGSTOP': () => ({ does: 'worker-stop' }),
  'clock forward': (random) => ({ does: 'clock-jump', byMs: clockJump(random) }),
  'clock back': (random) => ({ does: 'clock-jump', byMs: -clockJump(random) }),
  'embeddings 429': (random) => ({
    does: 'embeddings',
    behaviour: random.chance(0.5) ? { rpm: random.int(10, 60) } : { tpm: random.int(20_000, 60_000) },
  }),
  'embeddings 429 without Retry-After': (random) => ({
    does: 'embeddings',
    behaviour: { rpm: random.int(10, 60), retryAfter: false },
  }),
  'embeddings 500': () => ({ does: 'embeddings', behaviour: { outage: '500' } }),
  'embeddings 503': () => ({ does: 'embeddings', behaviour: { outage: '503' } }),
  'embeddings reset': () => ({ does: 'embeddings', behaviour: { outage: 'reset' } }),
  'embeddings slow': (random) => ({
    does: 'embeddings',
    behaviour: { latencyMs: random.int(2_000, 8_000) },
  }),
  ...Object.fromEntries(
    SPOILINGS.map((how) => [
      `embeddings answer ${how}`,
      (random: Random) => ({ does: 'spoil', how, count: random.int(1, 4) }) as const,
    ]),
  ),
  'qdrant refuses': (random) => ({ does: 'qdrant', fault: qdrantFault(random, false) }),
  'qdrant answer lost': (random) => ({ does: 'qdrant', fault: qdrantFault(random, true) }),
  'connections cut': (random) => ({
    does: 'cut',
    link: random.pick(LINKS),
    everyMs: random.int(300, 3_000),
  }),
  'connections delayed': (random) => {
    const link = random.pick(LINKS);
    // Heartbeats that come later than they are awaited are another fault.
    return { does: 'trouble', link, trouble: { delayMs: random.int(50, link === 'temporal' ? 200 : 1_500) } };
  },
  'connections throttled': (random) => ({
    does: 'trouble',
    link: random.pick(LINKS),
    trouble: { bytesPerSecond: random.int(32, 512) * 1_024 },
  }),
  'black hole': (random) => ({
    does: 'trouble',
    link: random.pick(LINKS),
    trouble: { isBlackHole: true },
  }),
  'killed query': () => ({ does: 'killed-query' }),
  deadlock: () => ({ does: 'deadlock' }),
  'locked table': () => ({ does: 'locked-table' }),
  'full disk': (random) => ({ does: 'full-disk', service: random.pick(SMALL_DISKS) }),
};

function severalServers(random: Random): ServiceName[] {
  const left = [...SERVERS];
  return Array.from(
    { length: random.int(2, SERVERS.length) },
    () => left.splice(random.int(0, left.length - 1), 1)[0] as ServiceName,
  );
}

/** From a minute to four days. */
function clockJump(random: Random): number {
  return Math.round(60_000 * ((4 * DAY_MS) / 60_000) ** random.next());
}

/** @param after the request is executed, and its answer lost */
function qdrantFault(random: Random, after: boolean): Record<string, unknown> {
  return {
    status: random.pick([500, 503, 429]),
    count: random.int(1, 5),
    after,
    paths: random.pick(['', 'points']),
  };
}
