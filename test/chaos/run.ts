/** `npm run chaos`: see options.ts for its flags, or ask it with `--help`. */
import { appendFileSync } from 'node:fs';
import { Arena } from './arena.ts';
import { chaosOptions, FlagError, USAGE, type ChaosOptions } from './options.ts';
import { roundLine, type RoundReport } from './round-report.ts';
import { playRound } from './round.ts';
import { drawScenario } from './scenario.ts';

const interruption = new AbortController();

function readOptions(): ChaosOptions | null {
  try {
    return chaosOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    console.error(`npm run chaos: ${error.message}\n\n${USAGE}`);
    return null;
  }
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === null) return 2;
  if (options.help) {
    console.log(USAGE);
    return 0;
  }
  // Tried before anything is started: an hour's rounds should not end in a folder that is not there.
  if (options.json !== undefined) appendFileSync(options.json, '');
  const arena = await Arena.open();
  const interrupted = new Promise<never>((_, reject) => {
    interruption.signal.addEventListener('abort', () => reject(new Error('interrupted')));
    if (interruption.signal.aborted) reject(new Error('interrupted'));
  });
  interrupted.catch(() => undefined);
  try {
    return await Promise.race([play(arena, options), interrupted]);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    return 130;
  } finally {
    await arena.close();
  }
}

async function play(
  arena: Arena,
  { rounds, seed, minutes, longestMs, json, kinds }: ChaosOptions,
): Promise<number> {
  const deadline = performance.now() + minutes * 60_000;
  const bad: number[] = [];
  let played = 0;
  for (const kind of arena.impossible) console.log(`not run: ${kind}`);
  for (; played < rounds && performance.now() < deadline; played++) {
    const report: RoundReport = await playRound(
      arena,
      drawScenario(seed + played, { longestMs, without: arena.impossible, kinds }),
    );
    console.log(roundLine(report));
    for (const finding of report.findings) console.log(`      ${finding}`);
    if (json !== undefined) appendFileSync(json, `${JSON.stringify(report)}\n`);
    if (report.findings.length > 0) bad.push(seed + played);
  }
  const seeds = bad.length === 0 ? '' : `: seeds ${bad.join(', ')}`;
  console.log(`${played} rounds, ${bad.length} with findings${seeds}`);
  return bad.length === 0 ? 0 : 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!interruption.signal.aborted) console.error('stopping: everything is taken down');
    interruption.abort();
  });
}

// A round that is broken off leaves calls behind, and nobody who catches what they throw when their servers end.
process.on('uncaughtException', (error) => {
  if (interruption.signal.aborted) return;
  console.error(error);
  process.exit(1);
});

// What a round that was broken off still awaits ends with the process.
process.exit(await main());
