import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { pointHash } from '../../src/target/payload.ts';
import type { AuditOptions, AuditReport } from './audit.ts';
import { LedgerDamage, TargetDamage, type Json, type WholePoint } from './damage.ts';
import { Lab } from './lab.ts';
import { distinctText, snowflake } from './rows.ts';

const COPIED = ['title', 'rank'];
const POISON = 'zebra-poison';
/** Rows by index: of several parents, with collection_ids, short, without content, refused by the embedding service. */
export const [LONG, COLLECTED, SHORT, BLANK, REFUSED] = [2, 1, 3, 8, 10] as const;
export const ROWS = 12;
/** In batches of five rows: 0 to 4, 5 to 9, 10 and 11. */
const BATCH_SIZE = 5;
/** Points of somebody else. */
export const FOREIGN = [randomUUID(), randomUUID()] as const;

/** A finding: of this kind, naming this record, for this reason. */
export type Found = readonly ['missing' | 'extra' | 'wrong', record: string, reason: RegExp];

export function idOf(index: number): string {
  return String(snowflake(index));
}

/** What Qdrant makes a BM25 vector of, with the product's defaults. */
export function bm25(text: string): Json {
  const options = { tokenizer: 'multilingual', language: 'english', k: 1.2, b: 0.75, avg_len: 128 };
  return { text, model: 'qdrant/bm25', options };
}

/** A point with some of its payload changed. @param options.forge whether its own hash is made right again */
export function changed(point: WholePoint, payload: Json, options: { forge?: boolean } = {}): WholePoint {
  const damaged = { ...point.payload, ...payload };
  if (options.forge) damaged['point_hash'] = pointHash(damaged, COPIED);
  return { ...point, payload: damaged };
}

/** @throws AssertionError unless a finding of that kind names the record and gives the reason */
export function assertFound(report: AuditReport, [kind, record, reason]: Found): void {
  const found = report[kind].examples.some((one) => one.record === record && reason.test(one.reason));
  const { missing, extra, wrong } = report;
  assert.ok(
    found,
    `${kind} ${record} ${String(reason)} in ${JSON.stringify({ missing, extra, wrong }, null, 1)}`,
  );
}

/** A small migration on real servers, to be damaged: everything that an audit has to look at occurs in it. */
export class DamagedJob {
  readonly lab: Lab;
  readonly target: TargetDamage;
  readonly ledger: LedgerDamage;
  readonly jobId: string;
  #points: ReadonlyMap<string, WholePoint> = new Map();
  #foreignDigest: string | undefined;

  private constructor(lab: Lab, jobId: string) {
    this.lab = lab;
    this.jobId = jobId;
    const { QDRANT_URL = '', QDRANT_API_KEY = '', SUPABASE_URL = '', SUPABASE_KEY = '' } = lab.env;
    this.target = new TargetDamage(QDRANT_URL, QDRANT_API_KEY, 'memos_v1');
    this.ledger = new LedgerDamage(SUPABASE_URL, SUPABASE_KEY);
  }

  static async open(): Promise<DamagedJob> {
    const lab = await Lab.open({ BATCH_SIZE: String(BATCH_SIZE), MYSQL_PAYLOAD_COLUMNS: COPIED.join() });
    try {
      await lab.sql.query(
        'CREATE TABLE ip_summary (id BIGINT PRIMARY KEY, member_code VARCHAR(255), parse_content LONGTEXT,' +
          ' title VARCHAR(99), `rank` INT) CHARACTER SET utf8mb4',
      );
      for (let index = 0; index < ROWS; index++) await insertRow(lab, index);
      await lab.embeddings.behave({ refuse: [POISON] });
      await lab.worker();
      const { status, totals, jobId } = await lab.migrate();
      assert.deepEqual([status, totals.failed, totals.skipped], ['completed', 1, 1]);
      const job = new DamagedJob(lab, jobId);
      await job.#furnish();
      return job;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  close(): Promise<void> {
    return this.lab.close();
  }

  async audit(options: Partial<AuditOptions> = {}): Promise<AuditReport> {
    const report = await this.lab.audit({
      jobId: this.jobId,
      undisturbed: true,
      failedIds: [idOf(REFUSED)],
      foreignDigest: this.#foreignDigest,
      collectionIds: { [idOf(COLLECTED)]: [7, 9] },
      ...options,
    });
    // The first one sees them as they are.
    this.#foreignDigest ??= report.foreignDigest;
    return report;
  }

  /** What the migration left of a row. */
  pointsOf(index: number): WholePoint[] {
    return [...this.#points.values()].filter(({ payload }) => payload['summary_id'] === snowflake(index));
  }

  pointOf(index: number, type: 'parent' | 'child', ordinal: number): WholePoint {
    const key = type === 'child' ? 'chunk_index' : 'parent_idx';
    const found = this.pointsOf(index).find(
      ({ payload }) => payload['type'] === type && payload[key] === ordinal,
    );
    assert.ok(found, `${type} ${ordinal} of row ${index}`);
    return found;
  }

  childrenOf(index: number): number {
    return this.pointsOf(index).filter(({ payload }) => payload['type'] === 'child').length;
  }

  foreign(index: 0 | 1): WholePoint {
    const found = this.#points.get(FOREIGN[index]);
    assert.ok(found);
    return found;
  }

  /** Puts every point back and takes away all others. */
  async restorePoints(): Promise<void> {
    const now = await this.target.read();
    await this.target.delete(now.map(({ id }) => id).filter((id) => !this.#points.has(id)));
    await this.target.put([...this.#points.values()]);
  }

  async updateRow(index: number, content: string): Promise<void> {
    await this.lab.sql.query('UPDATE ip_summary SET parse_content = ? WHERE id = ?', [content, idOf(index)]);
  }

  async deleteRow(index: number): Promise<void> {
    await this.lab.sql.query('DELETE FROM ip_summary WHERE id = ?', [idOf(index)]);
  }

  async restoreRow(index: number): Promise<void> {
    await this.deleteRow(index);
    await insertRow(this.lab, index);
  }

  /** The vector of a text, by the embedding service itself. */
  async embed(input: string): Promise<number[]> {
    const { OPENAI_BASE_URL = '', OPENAI_API_KEY = '' } = this.lab.env;
    const response = await fetch(`${OPENAI_BASE_URL}/embeddings`, {
      method: 'POST',
      headers: { authorization: `Bearer ${OPENAI_API_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'text-embedding-3-small', input: [input] }),
    });
    const { data } = (await response.json()) as { data: { embedding: number[] }[] };
    return data[0]?.embedding ?? [];
  }

  /** Adds points of somebody else, and what the application adds to ours. */
  async #furnish(): Promise<void> {
    const [one] = await this.target.read();
    assert.ok(one);
    await this.target.put(FOREIGN.map((id) => ({ id, payload: { note: 'ours' }, vector: one.vector })));
    const points = await this.target.read();
    const collected = points.filter(({ payload }) => payload['summary_id'] === snowflake(COLLECTED));
    await this.target.put(
      collected.map((point) => ({ ...point, payload: { ...point.payload, collection_ids: [7, 9] } })),
    );
    this.#points = new Map((await this.target.read()).map((point) => [point.id, point]));
  }
}

async function insertRow(lab: Lab, index: number): Promise<void> {
  const words = distinctText(String(index), index === LONG ? 2_600 : 100 + index * 60);
  const content = index === BLANK ? ' \n' : index === REFUSED ? `A text with ${POISON} in it.` : words;
  const row = [idOf(index), `tenant-${index % 2}`, content, `Tïtle ${index}`, index];
  await lab.sql.query('INSERT INTO ip_summary VALUES (?)', [row]);
}
