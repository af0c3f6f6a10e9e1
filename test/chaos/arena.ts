import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lab } from '../support/lab.ts';
import { Links } from './links.ts';
import { SmallDisks } from './small-disks.ts';
import { createReader } from './source-faults.ts';

/** Everything that rounds are played on: the product on a stack of its own, behind proxies, on disks that can be full. */
export class Arena {
  readonly lab: Lab;
  readonly links: Links;
  /** Null where this user cannot mount any. */
  readonly disks: SmallDisks | null;
  /** For files of rounds. */
  readonly dir = mkdtempSync(join(tmpdir(), 'ferry-arena-'));

  private constructor(lab: Lab, links: Links, disks: SmallDisks | null) {
    this.lab = lab;
    this.links = links;
    this.disks = disks;
  }

  /** Brings everything up. */
  static async open(): Promise<Arena> {
    const small = SmallDisks.arePossible() ? await SmallDisks.stack() : undefined;
    const lab = await Lab.open({}, small?.stack);
    try {
      const links = await Links.open(lab.env);
      await createReader(lab.sql);
      return new Arena(lab, links, small?.disks ?? null);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** Kinds of faults that cannot be played here. */
  get impossible(): string[] {
    return this.disks === null ? ['full disk'] : [];
  }

  async close(): Promise<void> {
    await this.links.close();
    await this.lab.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
