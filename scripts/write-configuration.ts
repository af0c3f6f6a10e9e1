/**
 * `npm run docs`: writes docs/configuration.md from the settings' own schemas, so that the page cannot differ from what
 * the product reads. A test compares the two.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { embeddingSettings } from '../src/embedding/settings.ts';
import { encryptionSettings } from '../src/encryption/payload-keys.ts';
import { ledgerSettings } from '../src/ledger/settings.ts';
import { clientSettings, jobSettings, workerSettings } from '../src/settings.ts';
import { sourceSettings } from '../src/source/settings.ts';
import { tableSettings } from '../src/source/table-settings.ts';
import { collectionSettings, targetSettings } from '../src/target/settings.ts';

/** A part of the page: the settings of one schema. */
interface Section {
  readonly title: string;
  readonly about: string;
  readonly settings: z.ZodObject;
}

const SECTIONS: readonly Section[] = [
  {
    title: 'Source: the server',
    about: 'MySQL 8 or newer, MariaDB 10.5 or newer. Each worker has its own.',
    settings: sourceSettings,
  },
  {
    title: 'Source: the table',
    about: 'How rows become records. Fixed for a job when it starts.',
    settings: tableSettings,
  },
  {
    title: 'Target: the server',
    about: 'Qdrant 1.16 or newer. Each worker has its own.',
    settings: targetSettings,
  },
  {
    title: 'Target: the collection',
    about:
      'Fixed for a job when it starts; what shapes vectors is fixed for a collection when it is created.',
    settings: collectionSettings,
  },
  {
    title: 'Embedding service',
    about:
      'OpenAI, or anything that answers as it does. Model and dimensions are fixed for a job when it starts; the rest is each worker’s own.',
    settings: embeddingSettings,
  },
  {
    title: 'Ledger',
    about: 'Optional: progress in a Supabase project, for people and dashboards. Each worker has its own.',
    settings: ledgerSettings,
  },
  {
    title: 'Jobs',
    about: 'How a job is cut and repeated. Fixed for a job when it starts.',
    settings: jobSettings,
  },
  {
    title: 'Workers',
    about: 'How one worker process behaves.',
    settings: workerSettings,
  },
  {
    title: 'Encryption',
    about: 'Optional: what Temporal stores of jobs is readable only with a key. See operations.md.',
    settings: encryptionSettings,
  },
  {
    title: 'Commands',
    about: 'What commands need beyond the servers themselves.',
    settings: clientSettings,
  },
];

const INTRODUCTION = `# Configuration

<!-- Written by \`npm run docs\` from the schemas in src/; change those. -->

Settings are variables of the environment. Flags win over the environment, the environment over a file \`.env\` in the
folder where \`ferry\` or a worker is started; [.env.example](../.env.example) has all of them to copy. An empty value
counts as unset. The file may be shared with another application: unknown names are ignored, and names that look like
misspelt ones of these are warned about. All problems are reported at once.

Where none of \`MYSQL_HOST\`, \`QDRANT_URL\`, \`OPENAI_API_KEY\` and \`TEMPORAL_ADDRESS\` is set, a running local stack
(\`ferry stack up\`) is used for all of them; \`--stack\` uses it in any case. Every command says first which servers it
talks to; \`ferry --version\` shows them all.

What shapes a job travels with the job: its workers write what it was started with, whatever their own \`.env\` says.`;

const TEMPORAL = `## Temporal

Read by Temporal's own library, as its CLI and SDKs do: environment, then the profile of \`temporal.toml\` that
\`TEMPORAL_PROFILE\` names.

| setting | default | meaning |
|---|---|---|
| \`TEMPORAL_ADDRESS\` | \`localhost:7233\` | Host and port of the server. |
| \`TEMPORAL_NAMESPACE\` | \`default\` | Namespace, with a retention of some 30 days. It has to exist; the local stack makes \`vector-ferry\`. |
| \`TEMPORAL_API_KEY\` | | Key of Temporal Cloud; switches TLS on. |
| \`TEMPORAL_TLS\`, \`TEMPORAL_TLS_CLIENT_CERT_PATH\`, \`TEMPORAL_TLS_CLIENT_KEY_PATH\`, \`TEMPORAL_TLS_SERVER_CA_CERT_PATH\`, \`TEMPORAL_TLS_SERVER_NAME\` | | TLS and mTLS; each \`_PATH\` also exists as \`_DATA\`. |
| \`TEMPORAL_PROFILE\`, \`TEMPORAL_CONFIG_FILE\` | | Profile and place of \`temporal.toml\`. |`;

const STACK = `## Local stack

Read by \`ferry stack\`, \`ferry run\`, the demo and the tests.

| setting | default | meaning |
|---|---|---|
| \`FERRY_STACK_DIR\` | \`vector-ferry/stack\` in \`XDG_STATE_HOME\` (\`~/.local/state\`) | Folder of the stack: its data, logs and passwords. |
| \`FERRY_STACK_DOCKER\` | | \`0\`: no service is taken from a Docker image; \`1\`: as by default, where a daemon answers. |
| \`XDG_CACHE_HOME\` | \`~/.cache\` | Its folder \`vector-ferry\` keeps the servers' programs. |
| \`FERRY_STACK_TEMPORAL\`, \`FERRY_STACK_MARIADB\`, \`FERRY_STACK_POSTGRES\`, \`FERRY_STACK_POSTGREST\`, \`FERRY_STACK_QDRANT\`, \`FERRY_STACK_EMBEDDINGS\` | | Address of a service that runs already and is to be used in the place of one of the stack's; \`ferry stack --help\` shows their forms. |`;

/** @returns the whole page */
export function configurationPage(): string {
  const sections = SECTIONS.map(({ title, about, settings }) =>
    [
      `## ${title}`,
      '',
      about,
      '',
      '| setting | expected | default | meaning |',
      '|---|---|---|---|',
      ...Object.entries(settings.shape).map(([name, setting]) => row(name, setting as z.ZodType)),
    ].join('\n'),
  );
  return [INTRODUCTION, ...sections, TEMPORAL, STACK].join('\n\n') + '\n';
}

function row(name: string, setting: z.ZodType): string {
  const byDefault = setting.safeParse(undefined);
  const value = byDefault.success ? byDefault.data : undefined;
  const isRequired = !byDefault.success;
  const shown = Array.isArray(value) ? value.join(',') : `${(value ?? '') as string | number | boolean}`;
  const cells = [
    `\`${name}\``,
    expected(setting),
    isRequired ? 'required' : shown === '' ? '' : `\`${shown}\``,
    setting.description ?? '',
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

/** What a value has to look like, as far as the schema says it. */
function expected(setting: z.ZodType): string {
  const {
    type,
    minimum,
    maximum,
    format,
    enum: values,
  } = z.toJSONSchema(setting, {
    io: 'input',
    unrepresentable: 'any',
  }) as { type?: string; minimum?: number; maximum?: number; format?: string; enum?: string[] };
  if (typeof setting.safeParse(undefined).data === 'boolean') return '`true` or `false`';
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(', ');
  if (type === 'integer') return `whole number, ${minimum} to ${maximum}`;
  if (type === 'number') return `number, ${minimum} to ${maximum}`;
  return format === 'uri' ? 'URL' : 'text';
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const path = join(import.meta.dirname, '../docs/configuration.md');
  writeFileSync(path, configurationPage());
  console.log('docs/configuration.md is written.');
}
