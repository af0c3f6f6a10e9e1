/**
 * Runs test files, two at a time, in the order given; `node --test` sorts them by name. Started by test/run.ts.
 *
 *     node test/support/run-files.ts test/e2e/kill.test.ts test/unit/diff.test.ts
 */
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

const testTimeoutMs = 15 * 60_000;
const slowestShown = 15;

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort());

const seconds = new Map<string, number>();
const events = run({
  files: process.argv.slice(2).map((file) => resolve(file)),
  concurrency: 2,
  execArgv: [`--test-timeout=${testTimeoutMs}`],
  signal: interruption.signal,
});
events.on('test:summary', ({ success, file, duration_ms: durationMs }) => {
  // One for each file, and one without a file for the whole.
  if (file !== undefined) seconds.set(relative(process.cwd(), file), durationMs / 1_000);
  else if (!success) process.exitCode = 1;
});
const lines = events.compose(new spec()) as AsyncIterable<string>;
for await (const line of lines) process.stdout.write(line);

// For the order that test/run.ts starts them in.
const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, slowestShown);
if (slowest.length > 1) {
  console.log('\nThe slowest files, in seconds:');
  for (const [file, duration] of slowest) console.log(`${duration.toFixed(0).padStart(6)}  ${file}`);
}
