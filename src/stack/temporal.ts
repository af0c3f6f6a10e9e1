import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cached, isCached } from './cache.ts';
import { isAtLeast, runCommand, versionOf } from './command.ts';
import { execInContainer, runContainer } from './docker.ts';
import { findProgram, installerEnvironment, serviceEnvironment, setting } from './environment.ts';
import { ownFile } from './module-file.ts';
import { spawnProcess, stopProcesses, untilHealthy } from './process.ts';
import { programOf, type Instance, type Resolution, type Service } from './service.ts';
import { StackProblem } from './problem.ts';

const version = '1.8.2';
const insidePorts = { grpc: 7233, ui: 8233 };
const namespace = 'vector-ferry';
const retention = '30d';
const cacheKey = join('temporal-cli', version);
const versionLine = /temporal version (\S+)/;

function address(instance: Pick<Instance, 'ports'>): string {
  return `127.0.0.1:${instance.ports['grpc']}`;
}

/** Runs the Temporal CLI against this instance, blind to the user's own Temporal profiles and variables. */
function operator(instance: Instance, ...args: string[]): Promise<string> {
  const isInside = instance.resolution.kind === 'docker';
  const all = [
    ...args,
    '--address',
    isInside ? `127.0.0.1:${insidePorts.grpc}` : address(instance),
    '--disable-config-env',
    '--disable-config-file',
    '--command-timeout',
    '10s',
  ];
  if (isInside) return execInContainer(instance, ['/temporal', ...all]);
  return runCommand(programOf(instance), all, { env: serviceEnvironment() });
}

function namespaceExists(instance: Instance): Promise<string> {
  return operator(instance, 'operator', 'namespace', 'describe', '--namespace', namespace);
}

/** The dev server's own --namespace keeps closed workflows for a day only, too short to look into a long migration. */
async function createNamespace(instance: Instance): Promise<void> {
  const exists = await namespaceExists(instance).then(
    () => true,
    () => false,
  );
  if (exists) return;
  await operator(
    instance,
    'operator',
    'namespace',
    'create',
    '--namespace',
    namespace,
    '--retention',
    retention,
  );
}

async function build(dir: string): Promise<void> {
  for (const name of ['go.mod', 'go.sum']) copyFileSync(ownFile(`./temporal-cli/${name}`), join(dir, name));
  const link = `-s -w -X github.com/temporalio/cli/internal/temporalcli.Version=${version}`;
  const flags = ['-trimpath', '-buildvcs=false', '-mod=readonly', '-ldflags', link, '-o', 'temporal'];
  await runCommand('go', ['build', ...flags, 'github.com/temporalio/cli/cmd/temporal'], {
    cwd: dir,
    // The module may need a newer Go than this machine has; `auto` fetches that one as a module too.
    env: installerEnvironment({ GOTOOLCHAIN: 'auto', GOWORK: 'off', GOFLAGS: '', CGO_ENABLED: '0' }),
  });
  for (const name of ['go.mod', 'go.sum']) rmSync(join(dir, name));
}

/** Temporal's dev server with its UI, on one SQLite file. */
export const temporal: Service = {
  name: 'temporal',
  title: 'Temporal',
  needs: [],
  ports: ['grpc', 'ui'],

  async resolve(): Promise<Resolution | undefined> {
    const program = findProgram('temporal');
    const found = program && (await versionOf(program, versionLine));
    return program && found && isAtLeast(found, '1.5')
      ? { kind: 'path', program, version: found }
      : undefined;
  },

  image: `temporalio/temporal:${version}`,

  async lacks() {
    if (isCached(cacheKey)) return undefined;
    const go = await versionOf('go', /go(\d+\.\d+)/, ['version']);
    if (go !== undefined && isAtLeast(go, '1.21')) return undefined;
    return (
      `no temporal on PATH, and building it needs Go 1.21 or newer (found: ${go ?? 'none'}); install Go, or give the ` +
      'address of a server in FERRY_STACK_TEMPORAL'
    );
  },

  async install(report): Promise<Resolution> {
    const dir = await cached(cacheKey, report, async (target) => {
      report(`building the Temporal CLI ${version} with Go: about 5 minutes, once`);
      await build(target);
    });
    return { kind: 'registry', program: join(dir, 'temporal'), version, registry: 'the Go module proxy' };
  },

  newSecrets: () => ({}),

  async start(instance) {
    const isInside = instance.resolution.kind === 'docker';
    const flags = {
      '--ip': isInside ? '0.0.0.0' : '127.0.0.1',
      '--port': String(isInside ? insidePorts.grpc : instance.ports['grpc']),
      '--ui-port': String(isInside ? insidePorts.ui : instance.ports['ui']),
      '--db-filename': isInside ? '/data/temporal.db' : join(instance.dir, 'temporal.db'),
      '--log-level': 'warn',
    };
    // WAL with NORMAL survives the death of the server; only a power cut can cost the last moments.
    const pragmas = ['journal_mode=WAL', 'synchronous=NORMAL'].flatMap((pragma) => [
      '--sqlite-pragma',
      pragma,
    ]);
    // The dev server has one shard, and a shard reads its queues 20 times a second by default: 40 ms for every step of
    // every workflow. A cluster has hundreds of shards.
    const pollRates = ['transfer', 'timer', 'visibility'].flatMap((queue) => [
      '--dynamic-config-value',
      `history.${queue}ProcessorMaxPollRPS=1000`,
    ]);
    // An execution is deleted once its queues are known to be past it: every 30 s by default, and then tried ever later.
    const checkpoints = ['transfer', 'visibility'].flatMap((queue) => [
      '--dynamic-config-value',
      `history.${queue}ProcessorUpdateAckInterval="2s"`,
    ]);
    // Limits that a test wants to be lower than a cluster's, such as limit.historyCount.suggestContinueAsNew=50.
    const wanted = setting('FERRY_STACK_TEMPORAL_CONFIG')?.split(' ') ?? [];
    const args = [
      'server',
      'start-dev',
      ...Object.entries(flags).flat(),
      ...pragmas,
      ...pollRates,
      ...checkpoints,
      ...wanted.flatMap((value) => ['--dynamic-config-value', value]),
    ];
    if (isInside) {
      // The image runs as uid 1000, to whom a new volume does not belong; the CLI wants a home.
      const options = ['--user', '0:0'];
      await runContainer(instance, {
        ports: insidePorts,
        dataDir: '/data',
        env: { HOME: '/data' },
        options,
        args,
      });
    } else await spawnProcess(instance, { program: programOf(instance), args });
    await untilHealthy(instance, async () => {
      await operator(instance, 'operator', 'cluster', 'health');
    });
    await untilHealthy(instance, () => createNamespace(instance), 15_000);
    await untilHealthy(instance, () => temporal.health(instance), 15_000);
  },

  async health(instance) {
    await namespaceExists(instance);
  },

  stop: (instance) => stopProcesses(instance.processes, 'SIGTERM'),

  connection: (instance) => ({
    address: address(instance),
    namespace,
    uiUrl: `http://127.0.0.1:${instance.ports['ui']}`,
    ...(instance.resolution.kind !== 'docker' && { cli: instance.resolution.program }),
  }),

  connectionFromAddress(text) {
    if (!/^[\w.-]+:\d+$/.test(text))
      throw new StackProblem(['FERRY_STACK_TEMPORAL is not an address of the form host:port']);
    return { address: text, namespace };
  },
};
