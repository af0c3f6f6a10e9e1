import { join } from 'node:path';
import { cached, isCached } from './cache.ts';
import { runCommand } from './command.ts';
import { findProgram } from './environment.ts';

/**
 * A package of the npm registry in the cache; returns its folder.
 *
 * @param version exact
 * @param afterInstall runs once on the package's folder, in the place of install scripts, which are never run
 */
export async function npmPackage(
  name: string,
  version: string,
  report: (message: string) => void,
  afterInstall: (packageDir: string) => void = () => undefined,
): Promise<string> {
  const inside = join('node_modules', ...name.split('/'));
  const dir = await cached(cacheKey(name, version), report, async (target) => {
    report(`installing ${name} ${version} with npm`);
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--no-package-lock'];
    await runCommand('npm', ['install', '--prefix', target, ...options, `${name}@${version}`], {
      cwd: target,
    });
    afterInstall(join(target, inside));
  });
  return join(dir, inside);
}

/** The sentence for a machine that can neither find nor install a package, or undefined. */
export function lacksNpm(name: string, version: string, title: string, variable: string): string | undefined {
  if (isCached(cacheKey(name, version)) || findProgram('npm') !== undefined) return undefined;
  return (
    `no ${title} on PATH, and installing it needs npm, which comes with Node and is not on PATH; put it there, or give ` +
    `the address of a server in ${variable}`
  );
}

function cacheKey(name: string, version: string): string {
  return join('npm', `${name.replace(/^@/, '').replace('/', '-')}-${version}`);
}
