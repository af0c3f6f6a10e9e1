import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Changes of one file below `src`: what stands there once, and what takes its place. */
export type Changes = Readonly<Record<string, readonly (readonly [from: string, to: string])[]>>;

/** Sources of another release. */
export interface Release {
  /** The folder that its `src` is in. */
  readonly root: string;
  readonly workflowsPath: string;
  /** Removes it. */
  close(): void;
}

/**
 * Copies the product's sources into a temporary folder and changes the copy, as a next release would.
 *
 * @throws AssertionError when a text to be replaced does not stand there exactly once
 */
export function changedRelease(changes: Changes): Release {
  const root = mkdtempSync(join(tmpdir(), 'ferry-release-'));
  cpSync(join(ROOT, 'src'), join(root, 'src'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  for (const [file, replacements] of Object.entries(changes)) {
    const path = join(root, 'src', file);
    let text = readFileSync(path, 'utf8');
    for (const [from, to] of replacements) {
      assert.equal(text.split(from).length, 2, `src/${file} has to contain once: ${from}`);
      text = text.replace(from, () => to);
    }
    writeFileSync(path, text);
  }
  return {
    root,
    workflowsPath: join(root, 'src/workflows/index.ts'),
    close: () => rmSync(root, { recursive: true }),
  };
}
