import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { parseEnv } from 'node:util';
import type { z } from 'zod';
import {
  ALL_SETTINGS,
  jobSpecification,
  ledgerConfig,
  serviceConfig,
  temporalConfig,
} from '../../src/config.ts';
import { cliPage } from '../../scripts/write-cli.ts';
import { configurationPage } from '../../scripts/write-configuration.ts';
import { ATTEMPT_ENDS, FAULTS } from '../../src/errors.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

describe('docs/errors.md', () => {
  it('has one heading for each code, and no other', () => {
    const headings = [...read('docs/errors.md').matchAll(/^### (.+)$/gmu)].map(([, heading]) => heading);
    const codes = [...Object.keys(FAULTS), ...Object.values(ATTEMPT_ENDS)];
    assert.deepEqual(headings.toSorted(), codes.toSorted());
  });
});

describe('docs/configuration.md', () => {
  it('is what the schemas say: run `npm run docs`', () => {
    assert.equal(read('docs/configuration.md'), configurationPage());
  });

  it('has a row for every setting', () => {
    const rows = [...read('docs/configuration.md').matchAll(/^\| `([A-Z0-9_]+)` \|/gmu)].map(
      ([, name]) => name,
    );
    for (const name of Object.keys(ALL_SETTINGS.shape)) assert.ok(rows.includes(name), name);
  });
});

describe('docs/cli.md', () => {
  it('is what the commands say: run `npm run docs`', () => {
    assert.equal(read('docs/cli.md'), cliPage());
  });
});

describe('.env.example', () => {
  /** Every `NAME=value`, also where it is commented out. */
  const entries = [
    ...read('.env.example').matchAll(/^(?<mark># )?(?<name>[A-Z][A-Z0-9_]*)=(?<value>.*)$/gmu),
  ].map(({ groups }) => ({
    name: groups?.['name'] ?? '',
    value: groups?.['value'] ?? '',
    isCommented: groups?.['mark'] !== undefined,
  }));
  const settings: Readonly<Record<string, z.ZodType>> = ALL_SETTINGS.shape;
  /** Temporal's variables are read by its own library; its source is the only list of them. */
  const envconfig = readFileSync(
    join(dirname(createRequire(import.meta.url).resolve('@temporalio/envconfig')), 'envconfig-toml.js'),
    'utf8',
  );

  it('names every setting once, and nothing else', () => {
    const names = entries.map(({ name }) => name);
    assert.deepEqual(names.toSorted(), [...new Set(names)].toSorted());
    const own = names.filter((name) => name in settings || !name.startsWith('TEMPORAL_'));
    assert.deepEqual(own.toSorted(), Object.keys(settings).toSorted());
    for (const name of names.filter((each) => !own.includes(each))) {
      assert.ok(envconfig.includes(`'${name}'`), `${name} is no variable of Temporal`);
    }
  });

  for (const { name, value, isCommented } of entries.filter((entry) => entry.name in settings)) {
    const schema = settings[name] as z.ZodType;
    const byDefault = schema.safeParse(undefined);

    it(`${name}: ${byDefault.success ? 'is commented out, with its default' : 'has a placeholder'}`, () => {
      const shown = value === '' ? undefined : value;
      const parsed = schema.safeParse(shown);
      assert.ok(parsed.success, `${value} is refused`);
      if (!byDefault.success) return assert.equal(isCommented, false);
      // What has a default shows it; the password alone may be empty and still has to be filled in as a rule.
      if (byDefault.data !== undefined && name !== 'MYSQL_PASSWORD') {
        assert.deepEqual(parsed.data, byDefault.data);
      }
      if (name !== 'MYSQL_PASSWORD') assert.ok(isCommented, `${name} is not required`);
    });
  }

  it('is a complete configuration as it stands', () => assertConfigures(read('.env.example')));

  it('and so is the one in the README', () => {
    const block = /\*\*4\. Settings\.[^]*?```sh\n([^]*?)```/u.exec(read('README.md'))?.[1];
    assertConfigures(block ?? '');
    const names = Object.keys(parseEnv(block ?? ''));
    assert.deepEqual(
      names.filter((name) => !(name in settings || name.startsWith('TEMPORAL_'))),
      [],
    );
  });
});

function assertConfigures(file: string): void {
  const environment = { values: parseEnv(file) as Record<string, string>, warnings: [], isStack: false };
  serviceConfig(environment);
  ledgerConfig(environment);
  assert.equal(jobSpecification(environment, {}).source, 'your_database/ip_summary');
  assert.equal(temporalConfig(environment).namespace, 'vector-ferry');
}

describe('docs/architecture.md', () => {
  it('lists every folder of src/ in its import table', () => {
    const table = read('docs/architecture.md').split('### Imports')[1]?.split('\n\nBeside')[0] ?? '';
    const listed = [...table.matchAll(/^\| (`[^|]+) \|/gmu)].flatMap(([, cell]) =>
      [...(cell ?? '').matchAll(/`([\w-]+)`/gu)].map(([, folder]) => folder),
    );
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    assert.deepEqual(listed.toSorted(), folders.map(({ name }) => name).toSorted());
  });
});

describe('links between documents', () => {
  for (const path of [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    ...globSync('docs/*.md', { cwd: ROOT }),
  ]) {
    it(`${path}: every relative link leads somewhere`, () => {
      for (const [, target = ''] of read(path).matchAll(/\]\(([^)\s]+)\)/gu)) {
        if (/^https?:/u.test(target)) continue;
        const [file = '', anchor] = target.split('#');
        const linked = file === '' ? path : join(dirname(path), file);
        assert.ok(existsSync(join(ROOT, linked)), `${target} does not exist`);
        if (anchor !== undefined)
          assert.ok(anchors(read(linked)).has(anchor), `${target} has no such heading`);
      }
    });
  }
});

/** Of headings, as GitHub makes them. */
function anchors(markdown: string): Set<string> {
  return new Set(
    [...markdown.matchAll(/^#+ (.+)$/gmu)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
