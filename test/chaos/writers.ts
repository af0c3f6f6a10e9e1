import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool } from 'mysql2/promise';
import { deleteRow, distinctText, insertRows, snowflake, updateRow } from '../support/rows.ts';
import type { Random } from './random.ts';

/** Rows that writers may change are one child long, so that the text of a row is the text that is embedded. */
const SHORT_TOKENS = 120;
const TENANTS = 5;

/** The table, and somebody else who writes to it meanwhile. */
export class Writers {
  readonly #sql: Pool;
  readonly #random: Random;
  readonly #short: bigint[] = [];
  readonly #contents = new Map<bigint, string>();
  readonly #superseded = new Set<string>();
  #next: number;
  #version = 0;
  #writes = 0;

  private constructor(sql: Pool, random: Random, next: number) {
    this.#sql = sql;
    this.#random = random;
    this.#next = next;
  }

  /** Fills the table, which is empty: two thirds of the rows are short, the others have up to five children. */
  static async fill(sql: Pool, random: Random, rows: number): Promise<Writers> {
    const writers = new Writers(sql, random, rows);
    const all = Array.from({ length: rows }, (_, index) => {
      const id = snowflake(index);
      const isShort = random.chance(0.67);
      const content = distinctText(`${index}-0`, isShort ? SHORT_TOKENS : random.int(300, 1_200));
      if (isShort) {
        writers.#short.push(id);
        writers.#contents.set(id, content);
      }
      return { id, tenant: `tenant-${index % TENANTS}`, content };
    });
    await insertRows(sql, all);
    return writers;
  }

  /** Adds that many short rows, so that there is something to do. @throws Error if the database is away */
  async add(rows: number): Promise<void> {
    const all = Array.from({ length: rows }, () => {
      const id = snowflake(this.#next++);
      return { id, tenant: 'tenant-0', content: distinctText(`${id}-0`, SHORT_TOKENS) };
    });
    await insertRows(this.#sql, all);
    for (const { id, content } of all) {
      this.#short.push(id);
      this.#contents.set(id, content);
    }
  }

  /** Writes until the signal; an outage of the database is none of their business. */
  async write(perSecond: number, signal: AbortSignal): Promise<void> {
    while (perSecond > 0 && !signal.aborted) {
      await this.#writeOnce().catch(() => undefined);
      await sleep(1_000 / perSecond, undefined, { signal }).catch(() => undefined);
    }
  }

  get writes(): number {
    return this.#writes;
  }

  /** sha-256 of texts that were in a row once and are not any more: a point of them may be gone rightly. */
  get superseded(): ReadonlySet<string> {
    return this.#superseded;
  }

  async #writeOnce(): Promise<void> {
    const roll = this.#random.next();
    const id =
      roll < 0.4 || this.#short.length === 0 ? snowflake(this.#next++) : this.#random.pick(this.#short);
    const content = distinctText(`${id}-${++this.#version}`, SHORT_TOKENS);
    const tenant = `tenant-${this.#random.int(0, TENANTS - 1)}`;
    // What a failed write has left behind is not known; the row then counts as it was.
    if (!this.#contents.has(id)) {
      await insertRows(this.#sql, [{ id, tenant, content }]);
      this.#short.push(id);
      this.#contents.set(id, content);
    } else if (roll < 0.8) {
      await updateRow(this.#sql, { id, tenant, content });
      this.#supersede(id);
      this.#contents.set(id, content);
    } else {
      await deleteRow(this.#sql, id);
      this.#supersede(id);
      this.#contents.delete(id);
      this.#short.splice(this.#short.indexOf(id), 1);
    }
    this.#writes++;
  }

  #supersede(id: bigint): void {
    this.#superseded.add(hash(this.#contents.get(id) ?? ''));
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
