/**
 * `npm run build`: the package as it is published, in dist/. Compiles src/, bundles the workflows (a worker in production
 * neither compiles nor reads them), and copies what the local stack needs besides JavaScript.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');

/** Folders of the stack that are no TypeScript. */
const STACK_FOLDERS = ['temporal-cli', 'qdrant-front'];

function compile(): void {
  const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '--project', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  });
}

/** One bundle as it is, one for workers that encrypt: it also encrypts the messages of failures. */
async function bundleWorkflows(): Promise<number> {
  const workflowsPath = join(dist, 'workflows', 'index.js');
  const failureConverterPath = join(dist, 'encryption', 'failure-converter.js');
  const logger = new DefaultLogger('WARN');
  const { code } = await bundleWorkflowCode({ workflowsPath, logger });
  writeFileSync(join(dist, 'workflow-bundle.js'), code);
  const encrypted = await bundleWorkflowCode({ workflowsPath, failureConverterPath, logger });
  writeFileSync(join(dist, 'workflow-bundle-encrypted.js'), encrypted.code);
  return code.length;
}

function copyStackFolders(): void {
  for (const folder of STACK_FOLDERS) {
    cpSync(join(root, 'src', 'stack', folder), join(dist, 'stack', folder), {
      recursive: true,
      filter: (source) => basename(source) !== '__pycache__',
    });
  }
}

try {
  rmSync(dist, { recursive: true, force: true });
  compile();
  const size = await bundleWorkflows();
  copyStackFolders();
  console.log(`dist/ is built; the workflow bundle has ${(size / 1024 / 1024).toFixed(1)} MiB`);
} catch (error) {
  // The compiler has printed what is wrong; a dist/ in part must not look like a whole one.
  rmSync(dist, { recursive: true, force: true });
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
