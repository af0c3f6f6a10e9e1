/** First version of each product that is supported. */
const SUPPORTED = { MySQL: [8, 0], MariaDB: [10, 5] } as const;

/**
 * Reads what a server answers to `SELECT VERSION()`, e.g. `8.0.36-28` or `10.11.6-MariaDB-0+deb12u1-log`.
 *
 * @returns product and version as people write them
 */
export function describeServer(version: string): { server: string; isSupported: boolean } {
  const product = /mariadb/iu.test(version) ? 'MariaDB' : 'MySQL';
  // Some proxies and hosts put 5.5.5 before MariaDB's own version, for clients that know no 10.
  const numbers = /^(?:5\.5\.5-(?=\d))?((\d+)\.(\d+)[\d.]*)/u.exec(version);
  if (numbers === null) return { server: `${product} ${version}`, isSupported: false };
  const [, full = '', major, minor] = numbers;
  const [firstMajor, firstMinor] = SUPPORTED[product];
  const isSupported =
    Number(major) > firstMajor || (Number(major) === firstMajor && Number(minor) >= firstMinor);
  return { server: `${product} ${full.replace(/\.$/u, '')}`, isSupported };
}
