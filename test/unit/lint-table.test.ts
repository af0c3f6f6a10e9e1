import assert from 'node:assert/strict';
import { globSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ESLint } from 'eslint';

const ROOT = join(import.meta.dirname, '../..');
const RULE = 'no-restricted-imports';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};
/** What somebody might import, by the name that the table has for it. */
const packages = new Map([
  ['node:', 'node:fs'],
  ...[...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)].map(
    (name) => [name, name] as const,
  ),
]);
const entries = readdirSync(join(ROOT, 'src'), { withFileTypes: true });
const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
const modules = new Map<string, string>([
  ...folders.map((folder) => [folder, `../${folder}/something.ts`] as const),
  ...files.map((file) => [file, `../${file}`] as const),
]);

/** The import table of docs/architecture.md, a row for each folder. */
const table = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8')
  .split('### Imports')[1]
  ?.split('\n')
  .filter((line) => line.startsWith('| `'))
  .flatMap((line) => {
    const [names = [], own = [], ours = []] = line.split('|').slice(1).map(quoted);
    return names.map((folder) => ({ folder, allowed: new Set([...own, ...ours, folder]) }));
  });

// One instance: it reads the project once. Only the rule in question runs.
const eslint = new ESLint({ cwd: ROOT, ruleFilter: ({ ruleId }) => ruleId === RULE });

describe('the import table', () => {
  for (const { folder, allowed } of table ?? []) {
    const everything = [...packages, ...new Map(modules).set(folder, './something.ts')];
    // A file that exists, since the project has to know it; its content is ours.
    const filePath = join(ROOT, globSync(`src/${folder}/*.ts`, { cwd: ROOT }).toSorted()[0] ?? '');

    it(`${folder}: lint refuses values of what is not listed, and takes the rest`, async () => {
      const refused = await refusals(
        filePath,
        everything.map(([, specifier], index) => `import { value as v${index} } from '${specifier}';`),
      );
      const names = everything.map(([name]) => name);
      assert.deepEqual(
        refused.map((index) => names[index]),
        names.filter((name) => !allowed.has(name)),
      );
    });

    it(`${folder}: types are free, values beside them are not`, async () => {
      const lines = everything.map(
        ([, specifier], index) => `import type { Type as T${index} } from '${specifier}';`,
      );
      assert.deepEqual(await refusals(filePath, lines), []);
      const [, planted] = everything.find(([name]) => !allowed.has(name)) ?? [];
      assert.deepEqual(await refusals(filePath, [`import { type Type } from '${planted}';`]), []);
      assert.deepEqual(await refusals(filePath, [`import { type Type, value } from '${planted}';`]), [0]);
      assert.deepEqual(await refusals(filePath, [`export { value } from '${planted}';`]), [0]);
      assert.deepEqual(await refusals(filePath, [`export * from '${planted}';`]), [0]);
    });
  }
});

describe('ways around the import table', () => {
  const rules = ['no-restricted-syntax', 'import-x/no-cycle'];
  const lint = new ESLint({ cwd: ROOT, ruleFilter: ({ ruleId }) => rules.includes(ruleId) });
  const count = async (file: string, text: string): Promise<number> => {
    const [result] = await lint.lintText(text, { filePath: join(ROOT, file) });
    return result?.messages.filter(({ ruleId }) => rules.includes(ruleId ?? '')).length ?? 0;
  };

  it('a cycle is refused', async () => {
    assert.match(readFileSync(join(ROOT, 'src/target/write.ts'), 'utf8'), /from '\.\/payload\.ts';/);
    assert.equal(await count('src/target/payload.ts', "export { write } from './write.ts';\n"), 1);
    const type = "import type { write } from './write.ts';\nexport type Write = typeof write;\n";
    assert.equal(await count('src/target/payload.ts', type), 0);
  });

  it('a dynamic import is refused', async () => {
    assert.equal(await count('src/workflows/batch.ts', "export const driver = await import('mysql2');\n"), 1);
  });

  it('only src/config.ts reads the environment', async () => {
    const text = 'export const home = process.env.HOME;\n';
    assert.equal(await count('src/workflows/batch.ts', text), 1);
    assert.equal(await count('src/worker.ts', text), 1);
    assert.equal(await count('src/telemetry/runtime.ts', text), 1);
    assert.equal(await count('src/config.ts', text), 0);
  });
});

/** @returns which of the lines the rule refuses, from 0 */
async function refusals(filePath: string, lines: readonly string[]): Promise<number[]> {
  const [result] = await eslint.lintText(`${lines.join('\n')}\n`, { filePath });
  const messages = result?.messages ?? [];
  assert.deepEqual(
    messages.filter(({ fatal }) => fatal),
    [],
  );
  const refused = messages.filter(({ ruleId }) => ruleId === RULE).map(({ line }) => line - 1);
  return [...new Set(refused)].toSorted((a, b) => a - b);
}

/** The words in backquotes. */
function quoted(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/gu)].map(([, word]) => word ?? '');
}
