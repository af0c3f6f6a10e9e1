import { z } from 'zod';
import { numberSetting } from '../number-setting.ts';

const required = (expected: string) =>
  z.string({ error: `expected ${expected}` }).min(1, `expected ${expected}`);
/** Where the source database is; addresses and secrets of one worker. */
export const sourceSettings = z.object({
  MYSQL_HOST: required('the host name of the source database').describe(
    'Host of the MySQL or MariaDB server.',
  ),
  MYSQL_PORT: numberSetting({ min: 1, max: 65_535 }).default(3306).describe('Port of the server.'),
  MYSQL_USER: required('the name of a database user').describe(
    'Database user; a read-only account suffices.',
  ),
  MYSQL_PASSWORD: z.string().default('').describe('Password of the database user; it may be empty.'),
  MYSQL_DATABASE: required('the name of a database').describe('Database that holds the table.'),
  MYSQL_POOL_SIZE: numberSetting({ min: 1, max: 1_000 })
    .default(10)
    .describe('Most connections that one process opens at once.'),
  MYSQL_ROWS_PER_SECOND: numberSetting({ min: 1, max: 1_000_000 })
    .optional()
    .describe(
      'Most rows of content a second that one worker process reads, to spare a busy server; unset: no limit.',
    ),
  MYSQL_TLS: z
    .enum(['disabled', 'required', 'verify'], { error: 'expected disabled, required or verify' })
    .default('disabled')
    .describe(
      'TLS to the server: `disabled`, `required` (encrypted, any certificate) or `verify` (its certificate and host name are checked).',
    ),
  MYSQL_CA: z
    .string()
    .optional()
    .describe(
      'PEM file of the authority that signed the server certificate, for `verify`; Amazon RDS needs its own.',
    ),
});

/** Output of {@link sourceSettings}. */
export type SourceSettings = z.output<typeof sourceSettings>;
