import assert from 'node:assert/strict';

import { createClient } from '@supabase/supabase-js';

import type { LedgerUpdate } from '../../src/job/job.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { createSupabaseLedger } from '../../src/ledger/supabase.ts';
import { NO_IDS } from './ledger-updates.ts';

/** Where a ledger is, and the keys to it. */
export interface LedgerPlace {
  readonly url: string;
  /** Of the service role. */
  readonly key: string;
  /** Null: what it must not do cannot be checked. */
  readonly anonKey: string | null;
}

export const USD_PER_MILLION_TOKENS = 0.02;

const clientOf = (url: string, key: string) =>
  createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });

/** A ledger, and what lies in its tables; `close` removes what was written. */
export class LedgerLab {
  readonly ledger: Ledger;
  readonly place: LedgerPlace;
  readonly signal = new AbortController().signal;
  readonly #admin: ReturnType<typeof clientOf>;
  readonly #jobs = new Set<string>();

  constructor(place: LedgerPlace) {
    this.place = place;
    this.ledger = this.ledgerWith(USD_PER_MILLION_TOKENS);
    this.#admin = clientOf(place.url, place.key);
  }

  /** Another one in the same place. */
  ledgerWith(usdPerMillionTokens: number | null): Ledger {
    const { url: SUPABASE_URL, key: SUPABASE_KEY } = this.place;
    return createSupabaseLedger({ SUPABASE_URL, SUPABASE_KEY }, { usdPerMillionTokens });
  }

  /** A plain client with a key of no rights; fails where none was given. */
  anonymous(): ReturnType<typeof clientOf> {
    assert.ok(this.place.anonKey !== null, 'there is no anonymous key to check with');
    return clientOf(this.place.url, this.place.anonKey);
  }

  /** Applies an update, which may leave out what it does not change. */
  async apply(
    update: Partial<LedgerUpdate> & Pick<LedgerUpdate, 'job'>,
    recordIds = NO_IDS,
    ledger = this.ledger,
  ): Promise<void> {
    this.#jobs.add(update.job.id);
    await ledger.apply({ state: null, batches: [], ...update }, recordIds, this.signal);
  }

  /** The job's row; undefined if there is none. */
  async job(id: string, columns = '*'): Promise<Record<string, unknown> | undefined> {
    const [row] = await this.#rows('ingestion_job', columns, 'id', id, 'id');
    return row;
  }

  batches(id: string, columns = '*'): Promise<Record<string, unknown>[]> {
    return this.#rows('ingestion_batch', columns, 'job_id', id, 'batch_number');
  }

  failures(id: string, columns: string): Promise<Record<string, unknown>[]> {
    return this.#rows('ingestion_failure', columns, 'job_id', id, 'record_id');
  }

  async close(): Promise<void> {
    for (const id of this.#jobs) await this.#admin.from('ingestion_job').delete().eq('id', id);
  }

  /** Every row: a request answers with a thousand at most. */
  async #rows(
    table: string,
    columns: string,
    key: string,
    id: string,
    order: string,
  ): Promise<Record<string, unknown>[]> {
    const all: Record<string, unknown>[] = [];
    for (;;) {
      const { data, error } = await this.#admin
        .from(table)
        .select(columns)
        .eq(key, id)
        .order(order)
        .range(all.length, all.length + 999)
        .overrideTypes<Record<string, unknown>[], { merge: false }>();
      assert.equal(error, null);
      all.push(...(data ?? []));
      if ((data ?? []).length < 1_000) return all;
    }
  }
}
