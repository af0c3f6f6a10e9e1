/**
 * `npm run bench -- <name>`: measures the product on a stack of its own; see README.md.
 *
 *     npm run bench -- storm --json storm.json
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Bench } from './bench.ts';

const NAMES = ['load', 'storm'];

const {
  values,
  positionals: [name = ''],
} = parseArgs({ options: { json: { type: 'string' }, only: { type: 'string' } }, allowPositionals: true });
if (!NAMES.includes(name)) {
  console.error(
    `npm run bench -- <name> [--only case] [--json file], where name is one of: ${NAMES.join(', ')}`,
  );
  process.exit(2);
}
const { bench } = (await import(`./${name}.ts`)) as { bench: Bench };
const { findings, report } = await bench(values.only);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
for (const finding of findings) console.log(`  ${finding}`);
process.exitCode = findings.length === 0 ? 0 : 1;
