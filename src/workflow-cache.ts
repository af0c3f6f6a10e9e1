import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { bundleWorkflowCode, type BundleOptions, type Logger, type WorkflowBundle } from '@temporalio/worker';

/** npm's own list of what it has installed: the SDK, the bundler and the compiler, with their versions. */
const INSTALLED = join(import.meta.dirname, '../node_modules/.package-lock.json');
/** To be raised when the options of the bundler change. */
const FORMAT = 1;
/** Bundles that are kept, of 2 MB each; clones come and go. */
const MAX_KEPT = 10;

/** How bundles of sources are made and kept. */
export interface WorkflowCacheOptions {
  /** Where bundles are kept; null: nowhere, every call makes one. */
  readonly folder: string | null;
  /** Part of the bundle: how failures leave a workflow. @default the SDK's way */
  readonly failureConverterPath?: string;
  /** What making a bundle has to say. */
  readonly logger?: Logger;
  /** Makes a bundle. @default the SDK's bundler */
  readonly bundle?: (options: BundleOptions) => Promise<{ code: string }>;
  /** A file that changes with the packages. @default npm's list of what is installed */
  readonly installed?: string;
}

/** What a bundle was made from: paths, and the text of each. */
interface SourceMap {
  readonly sources?: readonly string[];
  readonly sourcesContent?: readonly (string | null)[];
}

/**
 * The folder for bundles in the user's cache, or null where the environment names none. A program that was started
 * without HOME should not begin to write into somebody's home.
 */
export function workflowCacheFolder(values: Readonly<Record<string, string | undefined>>): string | null {
  const { XDG_CACHE_HOME: cache = '', HOME: home = '' } = values;
  if (isAbsolute(cache)) return join(cache, 'vector-ferry', 'workflows');
  return isAbsolute(home) ? join(home, '.cache', 'vector-ferry', 'workflows') : null;
}

/**
 * The workflows of a clone, bundled for a worker. Making the bundle takes a second of both CPU and time, at every start
 * of every worker; so it is kept, one for each clone, and made anew as soon as a source or a package is another one. A
 * folder that cannot be written, or a damaged file, costs no more than that second.
 *
 * @param workflowsPath absolute path of the TypeScript file that exports the workflows
 * @throws Error if the sources cannot be bundled
 */
export async function sourceBundle(
  workflowsPath: string,
  options: WorkflowCacheOptions,
): Promise<WorkflowBundle> {
  const {
    folder,
    failureConverterPath,
    logger,
    bundle = bundleWorkflowCode,
    installed = INSTALLED,
  } = options;
  const parts = { workflowsPath, ...(failureConverterPath !== undefined && { failureConverterPath }) };
  const make = async (): Promise<string> => (await bundle({ ...parts, logger })).code;
  const packages = folder === null ? null : readText(installed);
  // Without npm's list nobody could say whether a bundle has the packages that are installed now.
  if (folder === null || packages === null) return { code: await make() };
  const file = join(folder, `${hash(JSON.stringify(parts))}.js`);
  const kept = readBundle(file, packages);
  if (kept !== null) return { code: kept };
  const code = await make();
  try {
    keep(file, `// ${seal(packages, code)}\n${code}`);
  } catch {
    // A full or read-only cache is not worth a word: the worker has its bundle.
  }
  return { code };
}

/** The code in the file, or null unless it is whole and what the bundler would make now. */
function readBundle(file: string, packages: string): string | null {
  const content = isOurs(file) ? readText(file) : null;
  if (content === null) return null;
  const end = content.indexOf('\n');
  const code = content.slice(end + 1);
  return content.slice(0, end) === `// ${seal(packages, code)}` && isCurrent(code) ? code : null;
}

/** What another user could have put there, in a cache folder that is shared, is not run. */
function isOurs(file: string): boolean {
  try {
    const { uid, mode } = statSync(file);
    return uid === (process.getuid?.() ?? uid) && (mode & 0o022) === 0;
  } catch {
    return false;
  }
}

/** Ties the code to the packages that it was made with; half a file, or one with a flipped bit, has another. */
function seal(packages: string, code: string): string {
  return hash(`${FORMAT}\n${hash(packages)}\n${code}`);
}

/**
 * Whether our own sources still are what the bundle was made from. It tells which they were, word by word; so the
 * modules that are in it need no list of their own here, and an edit while it was being made does no harm.
 */
function isCurrent(code: string): boolean {
  const { sources = [], sourcesContent = [] } = sourceMap(code);
  const own = sources.flatMap((path, index) => (isOwn(path) ? [{ path, text: sourcesContent[index] }] : []));
  return own.length > 0 && own.every(({ path, text }) => readText(path) === text);
}

/** The rest is packages, which the seal covers, and what the bundler adds itself. */
function isOwn(path: string): boolean {
  return isAbsolute(path) && path.endsWith('.ts') && !path.includes(`${sep}node_modules${sep}`);
}

/** The inline source map; empty where there is none. */
function sourceMap(code: string): SourceMap {
  const [, map] = code.slice(code.lastIndexOf('//# sourceMappingURL=')).split('base64,');
  return map === undefined ? {} : (JSON.parse(Buffer.from(map, 'base64').toString()) as SourceMap);
}

/** Several workers may start at once: each writes a file of its own, and a reader sees a whole one or none. */
function keep(file: string, content: string): void {
  const unfinished = `${file}.${randomUUID()}`;
  // What else is in the user's cache may be for others too: the servers of the local stack are, as root.
  mkdirSync(dirname(dirname(file)), { recursive: true, mode: 0o755 });
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(unfinished, content, { mode: 0o600 });
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  removeOldest(dirname(file));
}

/** Also what a worker left behind that was killed while it wrote. */
function removeOldest(folder: string): void {
  const files = readdirSync(folder).map((name) => join(folder, name));
  const byAge = files.map((path) => ({ path, time: statSync(path).mtimeMs })).sort((a, b) => b.time - a.time);
  for (const { path } of byAge.slice(MAX_KEPT)) rmSync(path, { force: true });
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
