import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';

import { cached } from '../../src/stack/cache.ts';
import { runCommand } from '../../src/stack/command.ts';

/** Where to look and what to expect. */
export interface AuditOptions {
  /** MYSQL_HOST, MYSQL_PORT, MYSQL_USER, MYSQL_PASSWORD, MYSQL_DATABASE, QDRANT_URL, QDRANT_API_KEY, SUPABASE_*. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The payload field `source` of the points to judge: `<SOURCE_LABEL>/<table>`. */
  readonly source: string;
  /** @default env.QDRANT_COLLECTION_NAME, else memos */
  readonly collection?: string;
  /** @default env.MYSQL_TABLE, else ip_summary */
  readonly table?: string;
  /** @default env.MYSQL_ID_COLUMN, else id */
  readonly idColumn?: string;
  /** Empty where the table has none. @default env.MYSQL_TENANT_COLUMN, else member_code */
  readonly tenantColumn?: string;
  /** One, or several, separated by commas. @default env.MYSQL_CONTENT_COLUMN, else parse_content */
  readonly contentColumn?: string;
  /** @default env.MYSQL_CONTENT_TEMPLATE, else none */
  readonly contentTemplate?: string;
  /** @default 1024 */
  readonly parentTokens?: number;
  /** @default 256 */
  readonly childTokens?: number;
  /** @default 32 */
  readonly overlapTokens?: number;
  /** @default env.OPENAI_EMBEDDING_MODEL, else text-embedding-3-small */
  readonly model?: string;
  /** @default 1536 */
  readonly dimensions?: number;
  /** Columns that stand in every payload, separated by commas. @default env.MYSQL_PAYLOAD_COLUMNS, else none */
  readonly copiedColumns?: string;
  /** What `collection_ids` has to be where it is known, by decimal record id. */
  readonly collectionIds?: Readonly<Record<string, unknown>>;
  /** Rows that may be absent or outdated. */
  readonly failedIds?: readonly (bigint | string)[];
  /** Points of other sources are extra instead of just counted. @default false */
  readonly noForeign?: boolean;
  /** `foreignDigest` of an earlier report: points of other sources have to be what they were then. */
  readonly foreignDigest?: string;
  /** Checks what the ledger at env.SUPABASE_URL says of this job; the table must not have changed since. */
  readonly jobId?: string;
  /** No attempt of that job was cut short, and no later job has written. @default false */
  readonly undisturbed?: boolean;
}

/** Findings of a kind: how many, and the first ten. */
export interface AuditTally {
  readonly count: number;
  /** `record` is a decimal id, or `ledger`. Reasons never hold content of a row. */
  readonly examples: readonly { readonly record: string; readonly reason: string }[];
}

/** What the audit found; `ok` when nothing is missing, extra or wrong. */
export interface AuditReport {
  readonly ok: boolean;
  readonly rows: number;
  readonly rowsWithContent: number;
  readonly excusedRows: number;
  readonly points: number;
  readonly parents: number;
  readonly children: number;
  readonly foreignPoints: number;
  /** Hex, over all points of other sources with payloads and vectors. */
  readonly foreignDigest: string;
  readonly ledger: string;
  readonly seconds: number;
  readonly missing: AuditTally;
  readonly extra: AuditTally;
  readonly wrong: AuditTally;
}

const AUDIT_DIR = join(import.meta.dirname, '../audit');

/** The folder with the audit's packages, installed from PyPI at the first call: in the user's cache, not in the repo. */
async function packages(): Promise<string> {
  const requirements = join(AUDIT_DIR, 'requirements.txt');
  const key = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  return cached(
    `audit-${key}`,
    () => undefined,
    async (dir) => {
      const install = (python: string): Promise<string> =>
        runCommand(python, [
          ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'],
          ...['--requirement', requirements, '--target', dir],
        ]);
      const venv = join(dir, 'venv');
      try {
        // Debian ships Python without pip, or without venv: either is enough.
        await install('python3').catch(async (noPip: unknown) => {
          await runCommand('python3', ['-m', 'venv', venv]).catch((noVenv: unknown) => {
            throw new AggregateError(
              [noPip, noVenv],
              'The audit needs Python with pip or venv: python3-pip or python3-venv',
            );
          });
          await install(join(venv, 'bin', 'python'));
        });
      } finally {
        rmSync(venv, { recursive: true, force: true });
      }
    },
  );
}

/** Runs Python with the audit on its path and, of the environment, only what is given. */
async function runPython(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  path: readonly string[] = [],
  input = '',
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn('python3', args, {
    cwd: AUDIT_DIR,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      // First on PATH: this Node, for tests that look for one.
      PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
      PYTHONPATH: [AUDIT_DIR, ...path].join(':'),
      PYTHONDONTWRITEBYTECODE: '1',
      ...env,
    },
  });
  // One that ends without reading is told by its status.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { status, stdout, stderr };
}

/** Runs the audit's own tests, which need neither packages nor servers. Returns what they printed. */
export async function runAuditSelfTests(): Promise<string> {
  const { status, stderr } = await runPython(['-m', 'unittest', 'discover', '-s', 'selftest', '-t', '.']);
  if (status !== 0) throw new Error(`The audit's self-tests failed:\n${stderr}`);
  return stderr;
}

/** The vectors of some texts by the audit's own implementation of the offline server's function. */
export async function embedByAudit(texts: readonly string[], dimensions: number): Promise<number[][]> {
  const program = [
    'import json, sys',
    'from audit.embedding import Embedder',
    'embedder = Embedder(int(sys.argv[2]))',
    'print(json.dumps([list(embedder.embed(text)) for text in json.loads(sys.argv[1])]))',
  ].join('\n');
  const { status, stdout, stderr } = await runPython([
    '-c',
    program,
    JSON.stringify(texts),
    String(dimensions),
  ]);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as number[][];
}

/** What the texts of some content columns become by the audit's own reading of templates; null: no content. */
export async function shapeByAudit(
  cases: readonly {
    readonly columns: readonly string[];
    readonly template: string | null;
    readonly texts: readonly (string | null)[];
  }[],
): Promise<(string | null)[]> {
  const program = [
    'import json, sys',
    'from audit.content import content_shape',
    "given = json.load(open(0, encoding='utf-8'))",
    "print(json.dumps([content_shape(one['columns'], one['template'])(one['texts']) for one in given]))",
  ].join('\n');
  const { status, stdout, stderr } = await runPython(['-c', program], {}, [], JSON.stringify(cases));
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as (string | null)[];
}

/** The contents of a table by ascending id, as the audit reads them by itself. */
export async function contentsByAudit(
  env: AuditOptions['env'],
  source: { database: string; table: string; columns: readonly string[]; template: string | null },
): Promise<(string | null)[]> {
  const program = [
    'import json, sys',
    'from audit.source import Source, rows',
    'host, port, user, database, table, columns, template = json.loads(sys.argv[1])',
    "source = Source(host, int(port), user, 'MYSQL_PASSWORD', database, table, 'id', None, tuple(columns), template)",
    'print(json.dumps([row.content for row in rows(source)]))',
  ].join('\n');
  const { MYSQL_HOST, MYSQL_PORT, MYSQL_USER, MYSQL_PASSWORD } = env;
  const { database, table, columns, template } = source;
  const given = JSON.stringify([MYSQL_HOST, MYSQL_PORT, MYSQL_USER, database, table, columns, template]);
  const { status, stdout, stderr } = await runPython(['-c', program, given], { MYSQL_PASSWORD }, [
    await packages(),
  ]);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as (string | null)[];
}

/**
 * Compares the source table with the collection, independently of the product.
 *
 * @throws Error when one of the servers cannot be read; findings are in the report
 */
export async function runAudit(options: AuditOptions): Promise<AuditReport> {
  const { env } = options;
  const flags: Record<string, string | number | undefined> = {
    'mysql-host': env['MYSQL_HOST'],
    'mysql-port': env['MYSQL_PORT'],
    'mysql-user': env['MYSQL_USER'],
    'mysql-database': env['MYSQL_DATABASE'],
    table: options.table ?? env['MYSQL_TABLE'],
    'id-column': options.idColumn ?? env['MYSQL_ID_COLUMN'],
    'tenant-column': options.tenantColumn ?? env['MYSQL_TENANT_COLUMN'],
    'content-column': options.contentColumn ?? env['MYSQL_CONTENT_COLUMN'],
    'content-template': options.contentTemplate ?? env['MYSQL_CONTENT_TEMPLATE'],
    'qdrant-url': env['QDRANT_URL'],
    collection: options.collection ?? env['QDRANT_COLLECTION_NAME'],
    source: options.source,
    'parent-tokens': options.parentTokens,
    'child-tokens': options.childTokens,
    'overlap-tokens': options.overlapTokens,
    'embeddings-model': options.model ?? env['OPENAI_EMBEDDING_MODEL'],
    'embeddings-dims': options.dimensions,
    'copied-columns': options.copiedColumns ?? env['MYSQL_PAYLOAD_COLUMNS'],
    'collection-ids': options.collectionIds && JSON.stringify(options.collectionIds),
    'foreign-digest': options.foreignDigest,
    'failed-ids': options.failedIds?.join(','),
    'ledger-url': options.jobId === undefined ? undefined : env['SUPABASE_URL'],
    'job-id': options.jobId,
    node: process.execPath,
  };
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  const args = given.map(([flag, value]) => `--${flag}=${value}`);
  if (options.noForeign) args.push('--no-foreign');
  if (options.undisturbed) args.push('--undisturbed');
  const secrets = {
    MYSQL_PASSWORD: env['MYSQL_PASSWORD'],
    QDRANT_API_KEY: env['QDRANT_API_KEY'],
    SUPABASE_KEY: env['SUPABASE_KEY'],
  };
  const { status, stdout, stderr } = await runPython(['-m', 'audit', '--json', ...args], secrets, [
    await packages(),
  ]);
  if (status !== 0 && status !== 1) throw new Error(`The audit did not run:\n${stderr}`);
  return JSON.parse(stdout) as AuditReport;
}

/** The report as a table with the first findings of each kind. */
export function formatAudit(report: AuditReport): string {
  const line = (name: string, value: number, note = ''): string =>
    `  ${name.padEnd(16)}${value.toLocaleString('en-US').padStart(10)}  ${note}`.trimEnd();
  const kinds = [
    ['missing', report.missing],
    ['extra', report.extra],
    ['wrong', report.wrong],
  ] as const;
  const excused = report.excusedRows > 0 ? `, ${report.excusedRows.toLocaleString('en-US')} excused` : '';
  return [
    line('rows', report.rows, `${report.rowsWithContent.toLocaleString('en-US')} with content${excused}`),
    line('points', report.points),
    line('  parents', report.parents),
    line('  children', report.children),
    line('foreign points', report.foreignPoints, 'counted, not judged'),
    ...kinds.map(([kind, tally]) => line(kind, tally.count)),
    `  ${'ledger'.padEnd(16)}${report.ledger}`,
    ...kinds.flatMap(([kind, tally]) =>
      tally.examples.map(({ record, reason }) => `    ${kind}: record ${record}: ${reason}`),
    ),
    `  ${report.ok ? 'PROVEN' : 'NOT PROVEN'} in ${report.seconds.toFixed(1)} s`,
  ].join('\n');
}

/** Prints the report to standard output. */
export function printAudit(report: AuditReport): void {
  process.stdout.write(`${formatAudit(report)}\n`);
}
