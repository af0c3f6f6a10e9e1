import { jobSpecification, serviceConfig, type Environment } from '../config.ts';
import { InputError } from '../errors.ts';

/**
 * The source and the target of the settings: `table db.t on host:3306, collection memos on host:6333`. Never an
 * account or a key.
 *
 * @returns null where settings are missing or malformed, which is for the command to say
 */
export function placesOf(environment: Environment): string | null {
  try {
    const { MYSQL_HOST, MYSQL_PORT, QDRANT_URL } = serviceConfig(environment);
    const { table, collection } = jobSpecification(environment, {});
    // Nothing checks a host name for a login that somebody has put before it.
    const name = MYSQL_HOST.replace(/^.*@/u, '');
    const host = name.includes(':') ? `[${name}]` : name;
    const source = `table ${table.database}.${table.table} on ${host}:${MYSQL_PORT}`;
    // As it was written: the URL's own parts leave out the ports 80 and 443, and without a port 6333 is meant.
    const [, qdrant = ''] = /^https?:\/\/([^/]+)/iu.exec(QDRANT_URL) ?? [];
    return `${source}, collection ${collection.name} on ${/:\d+$/u.test(qdrant) ? qdrant : `${qdrant}:6333`}`;
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}
