import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { enterableFolder } from './account.ts';
import { home, setting } from './environment.ts';
import { withLock } from './lock.ts';

/**
 * The folder for software installed from registries: `vector-ferry` in XDG_CACHE_HOME or ~/.cache. As root, when the
 * user that runs the databases could not read programs there (root's home is often closed): /var/cache/vector-ferry.
 */
export function cacheDir(): string {
  const base = setting('XDG_CACHE_HOME') ?? join(home(), '.cache');
  return enterableFolder(join(base, 'vector-ferry'), '/var/cache/vector-ferry');
}

/** True when `cached` would find the folder of that name. */
export function isCached(key: string): boolean {
  return existsSync(join(cacheDir(), key));
}

/**
 * The cached folder of that name, made by `build` if there is none. It is built beside its final place and renamed at
 * the end, so an interrupted build leaves no folder that looks complete; of two processes, one builds and the other
 * waits.
 *
 * @param key relative path, holding the version
 * @param build fills the folder given to it; what it puts there must work after the folder has been renamed
 */
export async function cached(
  key: string,
  report: (message: string) => void,
  build: (dir: string) => Promise<void>,
): Promise<string> {
  const target = join(cacheDir(), key);
  if (existsSync(target)) return target;
  const waiting = () => report('another process is installing it, waiting');
  return withLock(`cache ${target}`, waiting, async () => {
    if (existsSync(target)) return target;
    const parent = dirname(target);
    const prefix = `.${basename(target)}-`;
    mkdirSync(parent, { recursive: true, mode: 0o755 });
    // We hold the lock, so whatever lies here was left by a build that was killed.
    for (const left of readdirSync(parent).filter((name) => name.startsWith(prefix))) {
      rmSync(join(parent, left), { recursive: true, force: true });
    }
    const workDir = mkdtempSync(join(parent, prefix));
    try {
      chmodSync(workDir, 0o755);
      await build(workDir);
      renameSync(workDir, target);
    } finally {
      rmSync(workDir, { recursive: true, force: true });
    }
    return target;
  });
}
