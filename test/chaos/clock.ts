/**
 * Loaded into a worker before anything else (`--import`): its wall clock is off by the milliseconds that stand in the
 * file named by CHAOS_CLOCK. Monotonic clocks and timers go on as they are, as on a machine whose time is set.
 */
import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 100;

const file = process.env['CHAOS_CLOCK'] ?? '';
const RealDate = Date;
let offsetMs = 0;

function look(): void {
  try {
    offsetMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    offsetMs = 0;
  }
}

look();
setInterval(look, LOOK_EVERY_MS).unref();

const now = (): number => RealDate.now() + offsetMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object,
  apply: (target) => new target(now()).toString(),
  get: (target, key) => (key === 'now' ? now : (Reflect.get(target, key) as unknown)),
});
