import assert from 'node:assert/strict';
import mysql from 'mysql2/promise';
import { Fault } from '../../src/errors.ts';
import type { FaultCode } from '../../src/errors.ts';
import { createMySqlSource } from '../../src/source/mysql.ts';
import { sourceSettings } from '../../src/source/settings.ts';
import type { SourceSettings } from '../../src/source/settings.ts';
import type { Source, TableSpec } from '../../src/source/source.ts';

/** Every id that a range can name. */
export const EVERYTHING = { after: -(2n ** 63n) - 1n, upTo: 2n ** 63n - 1n };
export const BOUNDS = { maxRows: 100, maxBytes: 1_000_000 };
/** Never aborted. */
export const { signal } = new AbortController();

/** All tables of the checks begin with this, so that those of others in the same database are never touched. */
const PREFIX = 'ferry_check_';

/** One behaviour that the product relies on. */
export interface SourceCheck {
  readonly name: string;
  /** @throws NotPossible if this server or account cannot be asked */
  run(source: Source, bench: SourceBench): Promise<void>;
}

/** Why a check cannot be run here. */
export class NotPossible extends Error {}

/** Changes a source; what the suite has to notice. */
export type Plant = (source: Source) => Source;

/** A database that checks may fill with plain SQL, and sources on it. */
export class SourceBench {
  readonly settings: SourceSettings;
  readonly #admin: mysql.Connection;
  readonly #tables = new Set<string>();
  #plant: Plant = (source) => source;

  private constructor(settings: SourceSettings, admin: mysql.Connection) {
    this.settings = settings;
    this.#admin = admin;
  }

  /** @param values MYSQL_HOST and so on, of an account that may create tables in MYSQL_DATABASE */
  static async open(values: Readonly<Record<string, string | undefined>>): Promise<SourceBench> {
    const settings = sourceSettings.parse(values);
    const admin = await mysql.createConnection({
      host: settings.MYSQL_HOST,
      port: settings.MYSQL_PORT,
      user: settings.MYSQL_USER,
      password: settings.MYSQL_PASSWORD,
      charset: 'utf8mb4',
      ...(settings.MYSQL_TLS === 'disabled' ? {} : { ssl: { rejectUnauthorized: false } }),
    });
    await admin.query(`CREATE DATABASE IF NOT EXISTS \`${settings.MYSQL_DATABASE}\` CHARACTER SET utf8mb4`);
    await admin.query(`USE \`${settings.MYSQL_DATABASE}\``);
    return new SourceBench(settings, admin);
  }

  async sql(statement: string, values: unknown[] = []): Promise<mysql.RowDataPacket[]> {
    const [rows] = await this.#admin.query<mysql.RowDataPacket[]>(statement, values);
    return rows;
  }

  /** Makes a table anew. @returns its specification: id, member_code, parse_content */
  async table(name: string, columns: string, ...rows: string[]): Promise<TableSpec> {
    const spec = this.spec(name);
    this.#tables.add(spec.table);
    await this.sql(`DROP TABLE IF EXISTS \`${spec.table}\``);
    await this.sql(`CREATE TABLE \`${spec.table}\` (${columns}) CHARACTER SET utf8mb4`);
    if (rows.length > 0) await this.sql(`INSERT INTO \`${spec.table}\` VALUES ${rows.join(', ')}`);
    return spec;
  }

  /** Makes a table with these ids and contents. */
  async records(name: string, rows: readonly (readonly [bigint, string | null])[]): Promise<TableSpec> {
    const spec = await this.table(
      name,
      'id BIGINT PRIMARY KEY, member_code VARCHAR(64), parse_content LONGTEXT',
    );
    const values = rows.map(([id, content]) => [String(id), 'm', content]);
    if (values.length > 0) await this.sql(`INSERT INTO \`${spec.table}\` VALUES ?`, [values]);
    return spec;
  }

  spec(name: string): TableSpec {
    return {
      database: this.settings.MYSQL_DATABASE,
      table: PREFIX + name,
      idColumn: 'id',
      tenantColumn: 'member_code',
      contentColumns: ['parse_content'],
      contentTemplate: null,
      payloadColumns: [],
      filter: null,
    };
  }

  /**
   * Runs a check on a source of its own.
   *
   * @returns why it could not be run; undefined if it was
   */
  async run(check: SourceCheck, plant: Plant = (source) => source): Promise<string | undefined> {
    this.#plant = plant;
    try {
      await this.with({}, (source) => check.run(source, this));
    } catch (error) {
      if (error instanceof NotPossible) return error.message;
      throw error;
    }
    return undefined;
  }

  /** Calls a source with other settings, e.g. of another account. */
  async with<T>(changes: Partial<SourceSettings>, call: (source: Source) => Promise<T>): Promise<T> {
    const source = createMySqlSource({ ...this.settings, ...changes });
    try {
      return await call(this.#plant(source));
    } finally {
      await source.close();
    }
  }

  async close(): Promise<void> {
    for (const table of this.#tables) await this.sql(`DROP TABLE IF EXISTS \`${table}\``);
    await this.#admin.end();
  }
}

/** For assert.rejects. */
export function isFault(code: FaultCode, detail = /(?:)/u) {
  return (error: unknown): true => {
    assert.ok(error instanceof Fault, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, detail);
    return true;
  };
}
