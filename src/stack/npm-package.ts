import { join } from 'node:path';
import { cached } from './cache.ts';
import { runCommand } from './command.ts';

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
  const key = join('npm', `${name.replace(/^@/, '').replace('/', '-')}-${version}`);
  const dir = await cached(key, report, async (target) => {
    report(`installing ${name} ${version} with npm`);
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-save', '--no-package-lock'];
    await runCommand('npm', ['install', '--prefix', target, ...options, `${name}@${version}`], {
      cwd: target,
    });
    afterInstall(join(target, inside));
  });
  return join(dir, inside);
}
