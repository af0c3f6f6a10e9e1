import { fileURLToPath } from 'node:url';

/** `.ts` in a checkout, `.js` in a published build. */
const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';

/** The path of a program of ours in this folder, given without its extension. */
export function ownProgram(name: string): string {
  return fileURLToPath(new URL(`./${name}${extension}`, import.meta.url));
}

/** The path of a file or folder kept beside this module, relative to it. */
export function ownFile(relativePath: string): string {
  return fileURLToPath(new URL(relativePath, import.meta.url));
}
