import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { LINKS, type LinkName, type Trouble } from './fault.ts';
import type { ProxyAnswer, ProxyRequest } from './proxy.ts';

const PROGRAM = fileURLToPath(new URL('proxy.ts', import.meta.url));

/** Where the address of a server stands in the environment. */
const ADDRESSES = {
  mariadb: 'MYSQL_PORT',
  qdrant: 'QDRANT_URL',
  embeddings: 'OPENAI_BASE_URL',
  postgrest: 'SUPABASE_URL',
  temporal: 'TEMPORAL_ADDRESS',
} as const satisfies Record<LinkName, string>;

/** The proxies between workers and servers, which keep their ports when they are killed and started again. */
export class Links {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answer: ProxyAnswer) => void>();
  readonly #numbers = new Map<LinkName, number>();
  readonly #settings: Record<string, string> = {};
  #asked = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', ({ id, answer }: { id: number; answer: ProxyAnswer }) => {
      this.#waiting.get(id)?.(answer);
      this.#waiting.delete(id);
    });
  }

  /** @param env the stack's addresses */
  static async open(env: Readonly<Record<string, string>>): Promise<Links> {
    const links = new Links(fork(PROGRAM, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }));
    for (const name of LINKS) {
      const variable = ADDRESSES[name];
      const address = env[variable] ?? '';
      const port = Number(/(\d+)(?:\/\w+)?\/?$/.exec(address)?.[1]);
      links.#numbers.set(name, links.#numbers.size);
      const { port: own } = await links.#ask({ does: 'listen', host: '127.0.0.1', port });
      links.#settings[variable] = address.replace(String(port), String(own));
    }
    return links;
  }

  /** The addresses of the proxies, for the environment of workers. */
  get settings(): Readonly<Record<string, string>> {
    return this.#settings;
  }

  /** Changes how a link behaves; an empty trouble is none. */
  trouble(link: LinkName, trouble: Trouble): Promise<ProxyAnswer> {
    return this.#ask({ does: 'trouble', link: this.#number(link), trouble });
  }

  /** Resets all connections of a link; the answer tells what was on them. */
  cut(link: LinkName): Promise<ProxyAnswer> {
    return this.#ask({ does: 'cut', link: this.#number(link) });
  }

  async close(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  #number(link: LinkName): number {
    return this.#numbers.get(link) ?? -1;
  }

  #ask(request: ProxyRequest): Promise<ProxyAnswer> {
    const id = this.#asked++;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#child.send({ id, request });
    });
  }
}
