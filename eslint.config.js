import prettier from 'eslint-config-prettier';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const READS_ENVIRONMENT = {
  selector: "MemberExpression[object.name='process'][property.name='env']",
  message: 'Only src/config.ts reads the environment.',
};

/**
 * One rule per folder of `src/`: which modules it may take values from (types are free everywhere). The table stands
 * in docs/architecture.md. The Temporal bundler accepts a stray driver import silently, so lint has to see it.
 *
 * @param {string[]} files globs of the folder
 * @param {string[]} packages packages it may import values from; `node:` stands for Node's own modules
 * @param {string[]} modules paths under src/ it may import values from, besides its own folder
 */
function mayImport(files, packages, modules) {
  const own = '\\./';
  const packagePattern = packages.length > 0 ? packages.join('|') : '(?!)';
  const modulePattern = modules.length > 0 ? `\\.\\./(?:${modules.join('|')})` : '(?!)';
  return {
    files,
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^(?!${own}|\\.\\.|(?:${packagePattern}))`,
              allowTypeImports: true,
              message: 'This package is not in the import table of this folder (docs/architecture.md).',
            },
            {
              regex: `^(?!${modulePattern})\\.\\.`,
              allowTypeImports: true,
              message: 'This module is not in the import table of this folder (docs/architecture.md).',
            },
          ],
        },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'ImportExpression', message: 'A dynamic import escapes the import table.' },
        READS_ENVIRONMENT,
      ],
    },
  };
}

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true } },
    settings: {
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js'] })],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'describe', 'it', 'suite'] },
          ],
        },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/config.ts'],
    rules: { 'no-restricted-syntax': ['error', READS_ENVIRONMENT] },
  },
  mayImport(['src/workflows/**'], ['@temporalio/(?:workflow|common)$'], ['job/', 'errors\\.ts$']),
  mayImport(['src/job/**'], ['@temporalio/(?:workflow|common)$'], ['errors\\.ts$']),
  mayImport(['src/planning/**'], [], ['errors\\.ts$']),
  mayImport(['src/chunking/**'], ['gpt-tokenizer'], ['errors\\.ts$']),
  mayImport(['src/reconcile/**'], ['node:', 'uuid$'], ['chunking/', 'errors\\.ts$']),
  mayImport(['src/source/**'], ['node:', 'mysql2', 'zod$'], ['errors\\.ts$', 'number-setting\\.ts$']),
  mayImport(['src/embedding/**'], ['node:', 'openai', 'zod$'], ['errors\\.ts$', 'number-setting\\.ts$']),
  mayImport(['src/target/**'], ['node:', '@qdrant/', 'zod$'], ['errors\\.ts$', 'number-setting\\.ts$']),
  mayImport(['src/ledger/**'], ['node:', '@supabase/', 'zod$'], ['errors\\.ts$']),
  mayImport(
    ['src/activities/**'],
    ['node:', '@temporalio/(?:activity|client|common)$'],
    ['reconcile/', 'planning/', 'inquiry/', 'errors\\.ts$'],
  ),
  mayImport(['src/inquiry/**'], ['node:'], ['reconcile/', 'planning/', 'chunking/', 'job/', 'errors\\.ts$']),
  mayImport(
    ['src/client/**', 'src/cli/**'],
    ['node:', '@temporalio/(?:client|common)$', 'commander$', 'picocolors$'],
    [
      'job/',
      'client/',
      'inquiry/',
      'config\\.ts$',
      'client\\.ts$',
      'services\\.ts$',
      'encryption/',
      'stack/',
      'worker\\.ts$',
      'errors\\.ts$',
      'cli/',
    ],
  ),
  mayImport(['src/encryption/**'], ['node:', '@temporalio/common$', 'zod$'], ['errors\\.ts$']),
  mayImport(['src/telemetry/**'], ['node:', '@temporalio/worker$'], ['errors\\.ts$']),
  mayImport(['src/stack/**'], ['node:', 'pg$', 'gpt-tokenizer'], ['stack/']),
  prettier,
);
