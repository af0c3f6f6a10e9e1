/**
 * `npm run chaos`: migrations under random faults, each judged by the independent audit.
 *
 *     npm run chaos -- --rounds 20 --seed 1 --minutes 60 --longest 45
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Lab } from '../support/lab.ts';
import { playRound, type RoundReport } from './round.ts';
import { drawScenario, type Fault } from './scenario.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '600' },
    longest: { type: 'string', default: '45' },
    json: { type: 'string' },
  },
});

const first = Number(values.seed);
const deadline = Date.now() + Number(values.minutes) * 60_000;
const reports: RoundReport[] = [];
const lab = await Lab.open();
try {
  for (let seed = first; seed < first + Number(values.rounds) && Date.now() < deadline; seed++) {
    const report = await playRound(lab, drawScenario(seed, Number(values.longest) * 1_000));
    reports.push(report);
    console.log(line(report));
    for (const finding of report.findings) console.log(`      ${finding}`);
    if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(reports, null, 2));
  }
} finally {
  await lab.close();
}
const bad = reports.filter(({ findings }) => findings.length > 0);
console.log(
  `${reports.length} rounds, ${bad.length} with findings${bad.length === 0 ? '' : `: seeds ${bad.map(({ scenario }) => scenario.seed).join(', ')}`}`,
);
process.exitCode = bad.length === 0 ? 0 : 1;

function line({
  scenario,
  findings,
  audit,
  runs,
  writes,
  inputs,
  distinct,
  cap,
  seconds,
}: RoundReport): string {
  const verdict = findings.length === 0 ? 'ok  ' : 'BAD ';
  return (
    `${verdict} seed ${scenario.seed}: ${audit?.rows ?? '?'} rows, ${audit?.points ?? '?'} points, ${runs} runs, ${writes} writes; ` +
    `${inputs - distinct} paid again <= ${cap} in hand; ${scenario.faults.map(nameOf).join(' ')}; ${seconds.toFixed(0)} s`
  );
}

function nameOf(fault: Fault): string {
  const what = 'services' in fault ? fault.services.join('+') : fault.kind;
  return `${what}@${(fault.at / 1_000).toFixed(1)}+${(fault.durationMs / 1_000).toFixed(1)}`;
}
