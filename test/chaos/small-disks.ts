import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceName } from '../../src/stack/service.ts';
import { down, up } from '../../src/stack/stack.ts';
import type { OwnStack } from '../support/stack.ts';
import { SMALL_DISKS } from './fault-draws.ts';

/** Memory is taken only by what is written. */
const ROOMY = '4g';

/** Servers whose folders are disks of their own, in memory, that can be made full and roomy again. */
export class SmallDisks {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  /** Whether this user may mount disks here. */
  static arePossible(): boolean {
    const dir = mkdtempSync(join(tmpdir(), 'ferry-mount-'));
    try {
      return mount('tmpfs', dir, 'size=64k') && spawnSync('umount', [dir]).status === 0;
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }

  /** Brings up a stack on such disks; closing it unmounts them. */
  static async stack(): Promise<{ stack: OwnStack; disks: SmallDisks }> {
    const dir = mkdtempSync(join(tmpdir(), 'ferry-own-stack-'));
    const disks = new SmallDisks(dir);
    const close = async (): Promise<void> => {
      await down({ dir });
      disks.#unmount();
      await down({ dir, purge: true });
    };
    try {
      // A stack begins in an empty folder; the servers that get disks come afterwards.
      await up({ dir, services: ['embeddings'] });
      for (const name of SMALL_DISKS) {
        mkdirSync(disks.#path(name));
        if (!mount('tmpfs', disks.#path(name), `size=${ROOMY},mode=755`)) throw new Error('mount failed');
      }
      return { stack: { ...(await up({ dir })), close }, disks };
    } catch (error) {
      await close().catch(() => undefined);
      throw error;
    }
  }

  /** No more can be written from now on. */
  fill(name: ServiceName): void {
    const { blocks, bfree, bsize } = statfsSync(this.#path(name));
    // A disk of no size would be one without limit; what was freed meanwhile is left to the servers.
    this.#resize(name, String(Math.max(1, blocks - bfree) * bsize));
  }

  /** Bytes that could be written. */
  freeBytes(name: ServiceName): number {
    const { bfree, bsize } = statfsSync(this.#path(name));
    return bfree * bsize;
  }

  free(name: ServiceName): void {
    this.#resize(name, ROOMY);
  }

  #path(name: ServiceName): string {
    return join(this.#dir, name);
  }

  #resize(name: ServiceName, size: string): void {
    const { status, stderr } = spawnSync('mount', ['-o', `remount,size=${size}`, this.#path(name)]);
    if (status !== 0) throw new Error(`the disk of ${name} cannot be changed: ${String(stderr)}`);
  }

  #unmount(): void {
    for (const name of SMALL_DISKS) spawnSync('umount', [this.#path(name)]);
  }
}

function mount(type: string, path: string, options: string): boolean {
  return spawnSync('mount', ['-t', type, '-o', options, type, path]).status === 0;
}
