/**
 * A stand-in for the `docker` program and its daemon, as far as the stack uses them. A container is a process that
 * outlives its client, as with the real one, and answers at the published ports as its image would. All that it knows
 * lies in a folder: calls.jsonl, and a file for each image, container, volume and network.
 */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';

/** How the daemon is: `hanging` never answers anything. */
export type Daemon = 'well' | 'absent' | 'hanging' | 'hanging at pulls';

export interface Call {
  readonly args: readonly string[];
  /** The variables of the client that `--env NAME` would take along. */
  readonly env: Readonly<Record<string, string>>;
}

/** What the test sees of it. */
export interface FakeDocker {
  /** A folder with nothing but the program `docker`, for PATH. */
  readonly bin: string;
  calls(): Call[];
  names(kind: 'image' | 'container' | 'volume' | 'network'): string[];
  set(daemon: Daemon): void;
}

/** Puts a `docker` into a folder. */
export function createFakeDocker(dir: string): FakeDocker {
  const bin = join(dir, 'bin');
  for (const folder of ['bin', 'image', 'container', 'volume', 'network']) {
    mkdirSync(join(dir, folder), { recursive: true });
  }
  const main = `import(${JSON.stringify(import.meta.url)}).then(({ run }) => run(${JSON.stringify(dir)}));`;
  writeFileSync(join(bin, 'docker'), `#!${process.execPath}\n${main}\n`, { mode: 0o755 });
  const set = (daemon: Daemon) => writeFileSync(join(dir, 'daemon'), daemon);
  set('well');
  return {
    bin,
    set,
    calls: () => {
      const file = join(dir, 'calls.jsonl');
      const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
      return lines.map((line) => JSON.parse(line) as Call);
    },
    names: (kind) => readdirSync(join(dir, kind)).map(decodeURIComponent),
  };
}

/** The program itself. */
export async function run(dir: string): Promise<void> {
  const args = process.argv.slice(2);
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => args.includes(name)),
  ) as Call['env'];
  appendFileSync(join(dir, 'calls.jsonl'), `${JSON.stringify({ args, env })}\n`);
  const daemon = readFileSync(join(dir, 'daemon'), 'utf8') as Daemon;
  const command = ['context', 'volume', 'network', 'image'].includes(args[0] ?? '')
    ? args.slice(0, 2).join(' ')
    : args[0];
  if (command === 'context inspect') return console.log('unix:///var/run/docker.sock');
  if (daemon === 'hanging' || (daemon === 'hanging at pulls' && command === 'pull')) await sleep(600_000);
  if (daemon === 'absent') return fail('Cannot connect to the Docker daemon. Is the docker daemon running?');
  const file = (kind: string, name: string) => join(dir, kind, encodeURIComponent(name));
  const last = args.at(-1) ?? '';
  switch (command) {
    case 'version':
      return console.log('linux');
    case 'image inspect':
      return existsSync(file('image', last)) ? console.log('sha256:0') : fail(`No such image: ${last}`);
    case 'pull':
      return writeFileSync(file('image', last), '');
    case 'volume create':
      return writeFileSync(file('volume', last), '');
    case 'volume rm':
      return rmSync(file('volume', last), { force: true });
    case 'network ls':
      return console.log(readdirSync(join(dir, 'network')).join('\n'));
    case 'network create':
      return writeFileSync(file('network', last), '');
    case 'network rm':
      return existsSync(file('network', last))
        ? rmSync(file('network', last))
        : fail(`network ${last} not found`);
    case 'exec':
      return;
    case 'rm':
      return await remove(file('container', last));
    case 'run':
      return await runContainer(args, file);
    default:
      return fail(`unknown command: docker ${args.join(' ')}`);
  }
}

function fail(message: string): void {
  console.error(`Error response from daemon: ${message}`);
  process.exitCode = 1;
}

async function remove(file: string): Promise<void> {
  if (!existsSync(file)) return fail('No such container');
  const pid = Number(readFileSync(file, 'utf8'));
  while (kill(pid, 'SIGKILL')) await sleep(5);
  rmSync(file);
}

/** @returns whether there was such a process */
function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/** The client in the foreground: it passes signals on, and ends when its container does. */
async function runContainer(
  args: readonly string[],
  file: (kind: string, name: string) => string,
): Promise<void> {
  const values = (flag: string) => args.flatMap((arg, index) => (args[index - 1] === flag ? [arg] : []));
  const [name = ''] = values('--name');
  const image = args.find((arg) => /^[a-z/]+:v?\d/.test(arg)) ?? '';
  if (!existsSync(file('image', image))) return fail(`No such image: ${image}`);
  if (existsSync(file('container', name))) return fail(`The container name ${name} is already in use`);
  const ports = values('--publish').map((text) => text.split(':')[1] ?? '');
  const container = spawn(process.execPath, [fileURLToPath(import.meta.url), image, ...ports], {
    detached: true,
    stdio: 'inherit',
  });
  writeFileSync(file('container', name), String(container.pid));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => container.kill(signal));
  process.exitCode = await new Promise((resolve) => container.once('exit', (code) => resolve(code ?? 137)));
}

/** A container: as little of the image's server as the stack's own questions need. */
function serve(image: string, ports: readonly string[]): void {
  for (const port of ports) {
    const where = { host: '127.0.0.1', port: Number(port) };
    if (image.startsWith('postgres:')) postgres().listen(where);
    else if (image.startsWith('mariadb:')) mariadb().listen(where);
    else createHttpServer((_, response) => response.end('ok')).listen(where);
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));
}

/** Greets as protocol version 10 does, and no more. */
function mariadb() {
  return createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(Buffer.from([1, 0, 0, 0, 10]));
  });
}

/** Lets everybody in, and finds no rows for any statement. */
function postgres() {
  const ready = message('Z', Buffer.from('I'));
  return createServer((socket) => {
    let hasBegun = false;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      if (!hasBegun) socket.write(Buffer.concat([message('R', Buffer.alloc(4)), ready]));
      else if (data[0] === 0x51)
        socket.write(Buffer.concat([message('C', Buffer.from('SELECT 0\0')), ready]));
      hasBegun = true;
    });
  });
}

function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(type), length, body]);
}

const [, program, image, ...ports] = process.argv;
if (program === fileURLToPath(import.meta.url) && image !== undefined) serve(image, ports);
