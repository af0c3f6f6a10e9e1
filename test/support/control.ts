import { createHash } from 'node:crypto';

/** Counters of the offline embeddings server; only answers with status 200 are paid. */
export interface EmbeddingsCounters {
  readonly requests: number;
  readonly paidRequests: number;
  readonly inputs: number;
  readonly tokens: number;
  readonly distinctTexts: number;
  /** Inputs that were paid and did not reach their client whole: of answers spoilt on purpose, and of others. */
  readonly spoiltInputs: number;
  readonly lostInputs: number;
  /** Answers by HTTP status. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** The offline embeddings server, from the side of a test. */
export class EmbeddingsControl {
  readonly #url: string;

  /** @param baseUrl OPENAI_BASE_URL */
  constructor(baseUrl: string) {
    this.#url = baseUrl.replace(/\/v1$/, '/control');
  }

  async counters(): Promise<EmbeddingsCounters> {
    return (await this.#ask('GET', 'counters')) as EmbeddingsCounters;
  }

  /** Counters of each client, by its User-Agent. */
  async clients(): Promise<Map<string, Omit<EmbeddingsCounters, 'statuses'>>> {
    const { byClient } = (await this.#ask('GET', 'counters')) as {
      byClient: Record<string, Omit<EmbeddingsCounters, 'statuses'>>;
    };
    return new Map(Object.entries(byClient));
  }

  /** How often each text was paid, by sha-256; of clients whose User-Agent contains `client`. */
  async texts(client: string): Promise<Map<string, number>> {
    const { texts } = (await this.#ask('GET', `texts?client=${encodeURIComponent(client)}`)) as {
      texts: { sha256: string; count: number }[];
    };
    return new Map(texts.map(({ sha256, count }) => [sha256, count]));
  }

  /** Switches latency, limits, refusals and outages; see src/stack/embeddings. */
  async behave(behaviour: Record<string, unknown>): Promise<void> {
    await this.#ask('PUT', 'behaviour', behaviour);
  }

  async behaveNormally(): Promise<void> {
    await this.#ask('DELETE', 'behaviour');
  }

  async reset(): Promise<void> {
    await this.#ask('POST', 'reset');
  }

  async #ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#url}/${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.headers.get('content-type')?.includes('json') === true ? response.json() : undefined;
  }
}

/** Counters of the Qdrant front since its data folder was made. */
export interface QdrantCounters {
  readonly written: number;
  readonly changed: number;
  readonly deleted: number;
}

/** A point as Qdrant gives it; big integers are not exact here, ids are kept as text elsewhere. */
export interface RawPoint {
  readonly id: string;
  readonly payload: Record<string, unknown>;
}

/** The Qdrant front, from the side of a test: plain HTTP, none of the product's code. */
export class QdrantControl {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor(url: string, apiKey: string) {
    this.#url = url;
    this.#headers = { 'api-key': apiKey, 'content-type': 'application/json' };
  }

  async counters(): Promise<QdrantCounters> {
    const { result } = (await this.#ask('GET', 'front/counters')) as { result: QdrantCounters };
    return result;
  }

  /** Injects a fault: `{status, count, delay_ms, paths, after}`; see src/stack/qdrant-front. */
  async fault(fault: Record<string, unknown>): Promise<void> {
    await this.#ask('POST', 'front/faults', fault);
  }

  /** Faults that are still to come; null: without a count. */
  async faults(): Promise<{ count: number | null }[]> {
    const { result } = (await this.#ask('GET', 'front/faults')) as { result: { count: number | null }[] };
    return result;
  }

  async clearFaults(): Promise<void> {
    await this.#ask('DELETE', 'front/faults');
  }

  async points(collection = 'memos'): Promise<RawPoint[]> {
    const points: RawPoint[] = [];
    let offset: unknown;
    do {
      const { result } = (await this.#ask('POST', `collections/${collection}/points/scroll`, {
        limit: 1_000,
        with_payload: true,
        ...(offset == null ? {} : { offset }),
      })) as { result: { points: RawPoint[]; next_page_offset?: unknown } };
      points.push(...result.points);
      offset = result.next_page_offset;
    } while (offset != null);
    return points;
  }

  /** sha-256 of the text of every child in the target; none while there is no such collection. */
  async childTexts(collection = 'memos'): Promise<Set<string>> {
    const { result: has } = (await this.#ask('GET', `collections/${collection}/exists`)) as {
      result: { exists: boolean };
    };
    if (!has.exists) return new Set();
    const children = (await this.points(collection)).filter(({ payload }) => payload['type'] === 'child');
    return new Set(
      children.map(({ payload }) => createHash('sha256').update(String(payload['text'])).digest('hex')),
    );
  }

  /** Sets keys of points, as the application beside the product does. */
  async setPayload(
    ids: readonly string[],
    payload: Record<string, unknown>,
    collection = 'memos',
  ): Promise<void> {
    await this.#ask('POST', `collections/${collection}/points/payload?wait=true`, { points: ids, payload });
  }

  async #ask(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#url}/${path}`, {
      method,
      headers: this.#headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }
}
