/** A JSON value; integers that a number would round are bigints. */
export type Json = Record<string, unknown>;

/** A point with all that it has. */
export interface WholePoint {
  readonly id: string;
  readonly payload: Json;
  readonly vector: Json;
}

function readJson(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) && context?.source
      ? BigInt(context.source)
      : value,
  );
}

function writeJson(value: unknown): string {
  // Node 24 has it; TypeScript's library does not know it yet.
  const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };
  return JSON.stringify(value, (_key, one: unknown) =>
    typeof one === 'bigint' ? rawJSON(String(one)) : one,
  );
}

async function ask(
  method: string,
  url: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<{ status: number; value: unknown }> {
  const response = await fetch(url, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: writeJson(body) }),
  });
  const text = await response.text();
  if (!response.ok && response.status !== 409) {
    throw new Error(`${method} ${new URL(url).pathname}: ${response.status} ${text.slice(0, 300)}`);
  }
  return { status: response.status, value: text === '' ? null : readJson(text) };
}

/** Damages a collection through Qdrant's own interface, 64-bit integers exactly as they are. */
export class TargetDamage {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, apiKey: string, collection: string) {
    this.#url = `${url}/collections/${collection}/points`;
    this.#headers = { 'api-key': apiKey };
  }

  async read(): Promise<WholePoint[]> {
    const body = { limit: 1_000, with_payload: true, with_vector: true };
    const { value } = await ask('POST', `${this.#url}/scroll`, this.#headers, body);
    return (value as { result: { points: WholePoint[] } }).result.points;
  }

  /** Writes whole points; a sparse vector may be a document. */
  async put(points: readonly { id: string; payload: Json; vector: Json }[]): Promise<void> {
    if (points.length > 0) await this.#change('PUT', '', { points });
  }

  async delete(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#change('POST', '/delete', { points: ids });
  }

  async #change(method: string, path: string, body: unknown): Promise<void> {
    await ask(method, `${this.#url}${path}?wait=true`, this.#headers, body);
  }
}

/** Damages the ledger through PostgREST. */
export class LedgerDamage {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, key: string) {
    this.#url = `${url}/rest/v1`;
    this.#headers = { apikey: key, authorization: `Bearer ${key}` };
  }

  /** @param filter PostgREST's, e.g. `job_id=eq.…` */
  async read(table: string, filter: string): Promise<Json[]> {
    return (await ask('GET', `${this.#url}/${table}?${filter}`, this.#headers)).value as Json[];
  }

  async change(table: string, filter: string, columns: Json): Promise<void> {
    await ask('PATCH', `${this.#url}/${table}?${filter}`, this.#headers, columns);
  }

  async delete(table: string, filter: string): Promise<void> {
    await ask('DELETE', `${this.#url}/${table}?${filter}`, this.#headers);
  }

  /** @returns whether the row was taken; false if the schema forbids it */
  async insert(table: string, row: Json): Promise<boolean> {
    return (await ask('POST', `${this.#url}/${table}`, this.#headers, row)).status !== 409;
  }
}
