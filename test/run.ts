/**
 * `npm test`: brings up one stack of its own in a fresh temporary folder, runs the tests against it, and takes it down
 * again whatever happened.
 *
 *     npm test                                    every test/**\/*.test.ts
 *     npm test -- test/stack/stack.test.ts        these files only
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  globSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { down, up } from '../src/stack/stack.ts';

const leftoverPatienceMs = 3_000;

/** Begun first, so that none of them runs on alone in the end; the longest of a run are printed at its end. */
const longest = [
  'e2e/kill',
  'e2e/outages',
  'chaos/chaos',
  'chaos/chaos-beside',
  'e2e/upgrade',
  'e2e/bad-input',
  'e2e/bad-input-settings',
  'workflows/scale',
].map((name) => `test/${name}.test.ts`);

/** Everything that the tests write lies below this folder, so that whatever they leave behind can be told by it. */
const home = realpathSync(mkdtempSync(join(tmpdir(), 'ferry-test-')));
// As root the databases run as another user, who has to pass through.
chmodSync(home, 0o711);
const stackFolder = join(home, 'stack');
const interruption = new AbortController();

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The environment without the product's settings, which may name production. */
function withoutProduct(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const product = /^(?:TEMPORAL|MYSQL|SUPABASE|QDRANT|OPENAI)_/;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !product.test(name)));
}

/** Runs the files in a process of its own; resolves with its exit code. */
function runTests(files: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, ['test/support/run-files.ts', ...files], {
    stdio: 'inherit',
    env: {
      ...withoutProduct(process.env),
      FERRY_TEST_STACK: stackFolder,
      TMPDIR: home,
      // Hundreds of processes load the same modules: each starts in half the time.
      NODE_COMPILE_CACHE: join(home, 'compile-cache'),
    },
  });
  const interrupt = () => child.kill('SIGINT');
  interruption.signal.addEventListener('abort', interrupt);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

/** All test files in the order in which they are to begin. */
function allFiles(): string[] {
  const files = globSync('test/**/*.test.ts').sort();
  return [
    ...longest.filter((file) => files.includes(file)),
    ...files.filter((file) => !longest.includes(file)),
  ];
}

/** Processes other than this one whose command line or working directory lies in the folder. */
function processesIn(folder: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  )) {
    try {
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      // A process that has ended and is only waiting to be noticed has no command line.
      if (commandLine === '') continue;
      const workingDir = readlinkSync(`/proc/${pid}/cwd`);
      if (`${commandLine} ${workingDir}`.includes(folder)) found.push(`${pid}  ${commandLine}`);
    } catch {
      continue;
    }
  }
  return found;
}

/** What is still running after a short wait: the last children of a server that was killed end by themselves. */
async function leftovers(): Promise<string[]> {
  const deadline = Date.now() + leftoverPatienceMs;
  while (processesIn(home).length > 0 && Date.now() < deadline) await sleep(100);
  return processesIn(home);
}

async function main(): Promise<number> {
  const named = process.argv.slice(2);
  const unknown = named.filter((pattern) => globSync(pattern).length === 0);
  const files = named.length > 0 ? named.flatMap((pattern) => globSync(pattern).sort()) : allFiles();
  if (files.length === 0 || unknown.length > 0) {
    say(`there are no such tests: ${unknown.join(', ')}`);
    rmSync(home, { recursive: true, force: true });
    return 1;
  }
  let code = 1;
  try {
    const begin = performance.now();
    await up({
      dir: stackFolder,
      onProgress: ({ service, message }) => say(`stack  ${(service ?? '').padEnd(11)}${message}`),
    });
    say(`stack  up after ${((performance.now() - begin) / 1_000).toFixed(1)} s`);
    if (!interruption.signal.aborted) code = await runTests(files);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  } finally {
    await down({ dir: stackFolder, purge: true }).catch((error: unknown) => say(`stack  ${String(error)}`));
  }
  const left = await leftovers();
  if (left.length > 0) {
    say(
      `\nThese processes were started by the tests and are still running; stop them by hand:\n  ${left.join('\n  ')}`,
    );
    return code === 0 ? 1 : code;
  }
  rmSync(home, { recursive: true, force: true });
  return interruption.signal.aborted ? 130 : code;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!interruption.signal.aborted) say('\nstopping: the tests end, then the stack is taken down');
    interruption.abort();
  });
}

process.exitCode = await main();
