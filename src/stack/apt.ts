import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { findProgram } from './environment.ts';

/**
 * Unpacks Debian packages into a folder, together with those of their dependencies that this system lacks. Nothing is
 * installed and root is not needed.
 *
 * @param dir becomes the root that holds usr/bin, usr/lib and so on
 * @throws Error when apt is missing or does not know the packages
 */
export async function unpackDebianPackages(dir: string, packages: readonly string[]): Promise<void> {
  if (findProgram('apt-get') === undefined || findProgram('dpkg-deb') === undefined) {
    throw new Error(
      `apt-get and dpkg-deb are needed to fetch ${packages.join(', ')}, and this system has none`,
    );
  }
  const workDir = mkdtempSync(join(tmpdir(), 'vector-ferry-apt-'));
  try {
    const own = await resolveMissing([], packages).catch(() => undefined);
    const options = own === undefined ? await privateLists(workDir) : [];
    const names = own ?? (await resolveMissing(options, packages));
    await download(workDir, options, names).catch(async (error: unknown) => {
      // The system's lists may be older than what the mirror still keeps.
      if (options.length > 0) throw error;
      const fresh = await privateLists(workDir);
      await download(workDir, fresh, await resolveMissing(fresh, packages));
    });
    for (const file of readdirSync(workDir).filter((name) => name.endsWith('.deb'))) {
      await runCommand('dpkg-deb', ['-x', join(workDir, file), dir]);
    }
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
}

/** What an installation would bring to this system: a simulation, which any user may run. */
async function resolveMissing(options: readonly string[], packages: readonly string[]): Promise<string[]> {
  const plan = await runCommand('apt-get', [
    ...options,
    '--simulate',
    '--no-install-recommends',
    'install',
    ...packages,
  ]);
  const missing = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
  return [...new Set([...packages, ...missing])];
}

async function download(
  workDir: string,
  options: readonly string[],
  names: readonly string[],
): Promise<void> {
  await runCommand('apt-get', [...options, 'download', ...names], { cwd: workDir });
}

/** Package lists of our own, so that the system's stay as they are and any user may refresh them. */
async function privateLists(workDir: string): Promise<string[]> {
  const state = join(workDir, 'state');
  const cache = join(workDir, 'cache');
  for (const folder of [join(state, 'lists', 'partial'), join(cache, 'archives', 'partial')]) {
    mkdirSync(folder, { recursive: true });
  }
  const options = [
    ['Dir::State', state],
    ['Dir::State::status', '/var/lib/dpkg/status'],
    ['Dir::Cache', cache],
    // As root apt would hand downloads to a user that may not enter our folder.
    ['APT::Sandbox::User', 'root'],
  ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  await runCommand('apt-get', [...options, 'update']);
  return options;
}
