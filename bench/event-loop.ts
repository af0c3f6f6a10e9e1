/**
 * Loaded into a worker (`--import`): watches for how much CPU time its event loop is kept from anything else, and writes
 * that as JSON into the file of BENCH_STRETCHES as the process ends. SIGHUP starts anew, once the worker is up. (CPU time,
 * because on a busy machine a stretch on the clock is mostly a wait for the CPU.)
 */
import { writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const TICK_MS = 5;

const file = process.env['BENCH_STRETCHES'];
// Workflows run in threads, which load this too.
if (isMainThread && file !== undefined) {
  let stretches: number[] = [];
  let last = process.threadCpuUsage();
  setInterval(() => {
    const { user, system } = process.threadCpuUsage();
    stretches.push((user + system - last.user - last.system) / 1_000);
    last = { user, system };
  }, TICK_MS).unref();
  process.on('SIGHUP', () => (stretches = []));
  process.on('exit', () => {
    const sorted = stretches.toSorted((a, b) => a - b);
    const p99 = Math.round(sorted[Math.floor(sorted.length * 0.99)] ?? 0);
    writeFileSync(file, JSON.stringify({ p99, max: Math.round(sorted.at(-1) ?? 0) }));
  });
}
