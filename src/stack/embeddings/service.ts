import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  type ApiError,
  badRequest,
  insufficientQuota,
  invalidApiKey,
  modelNotFound,
  rateLimited,
  serverError,
  unknownPath,
} from './api-error.ts';
import { type Behaviour, DEFAULT_BEHAVIOUR, afterSpoiling, changeBehaviour } from './behaviour.ts';
import { type EmbeddingsRequest, MODELS, parseEmbeddingsRequest } from './embeddings-request.ts';
import { embeddingsResponse } from './embeddings-response.ts';
import { RateLimits } from './rate-limits.ts';
import { RequestLog } from './request-log.ts';
import { spoilBody } from './spoiling.ts';

/** What the service needs to know at its start. */
export interface EmbeddingsServiceOptions {
  /** The JSONL log; the counters come from it. */
  readonly log: string;
  /** The valid key. Without one every key is. */
  readonly apiKey?: string;
}

const MAX_BODY_BYTES = 32 * 1024 * 1024;

async function readBody(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes <= MAX_BODY_BYTES) parts.push(part);
  }
  return bytes <= MAX_BODY_BYTES ? Buffer.concat(parts).toString('utf8') : null;
}

function parseJson(body: string | null): unknown {
  try {
    return JSON.parse(body ?? '') as unknown;
  } catch {
    return undefined;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The answers of the offline embeddings server: OpenAI's API under /v1, switches and counters under /control. */
export class EmbeddingsService {
  readonly #log: RequestLog;
  readonly #limits = new RateLimits();
  readonly #apiKey: string | null;
  #behaviour: Behaviour = DEFAULT_BEHAVIOUR;

  constructor(options: EmbeddingsServiceOptions) {
    this.#log = new RequestLog(options.log);
    this.#apiKey = options.apiKey ?? null;
  }

  /** Closes the log. */
  close(): void {
    this.#log.close();
  }

  /** Answers one request. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const method = request.method ?? 'GET';
    const body = await readBody(request);
    if (method === 'GET' && pathname === '/health') return this.#send(response, 200, { status: 'ok' });
    if (pathname.startsWith('/control/')) {
      return this.#control(`${method} ${pathname}`, searchParams, parseJson(body), response);
    }
    if (this.#behaviour.outage === 'hang') return;
    if (this.#behaviour.outage === 'reset') {
      const client = request.headers['user-agent'] ?? '';
      this.#log.append({ t: new Date().toISOString(), client, status: 0, inputs: 0, tokens: 0, texts: [] });
      return void request.socket.resetAndDestroy();
    }
    if (method === 'POST' && pathname === '/v1/embeddings') {
      return this.#embeddings(request, body, response);
    }
    return this.#models(request, pathname, response);
  }

  async #embeddings(request: IncomingMessage, body: string | null, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const asked = this.#behaviour;
    const refusedAtOnce = this.#refuseByState(request);
    const parsed =
      refusedAtOnce ??
      (body === null
        ? badRequest('The body of the request is too large.')
        : parseEmbeddingsRequest(parseJson(body), asked.refuse));
    const work = 'texts' in parsed ? parsed : null;
    const problem = work === null ? (parsed as ApiError) : this.#refuseByBudget(work);
    const answered = problem === null ? await embeddingsResponse(work!) : null;
    const latencyMs = asked.latencyMs + asked.latencyPerInputMs * (work?.texts.length ?? 0);
    if (latencyMs > 0) await sleep(Math.max(0, latencyMs - (performance.now() - startedAt)));

    const status = problem?.status ?? 200;
    const client = request.headers['user-agent'] ?? '';
    const inputs = work?.texts.length ?? 0;
    const spoiling = answered === null ? undefined : this.#behaviour.spoil?.how;
    if (spoiling !== undefined) this.#behaviour = afterSpoiling(this.#behaviour);
    // Logged also when the client has gone meanwhile: the real service would have been paid.
    this.#log.append({
      t: new Date().toISOString(),
      client,
      status,
      inputs,
      tokens: answered?.billedTokens ?? 0,
      texts: work?.texts.map(sha256) ?? [],
      ...(spoiling !== undefined && { spoilt: true }),
    });
    if (spoiling === 'lost') return void request.socket.resetAndDestroy();
    if (answered !== null && spoiling === undefined) this.#noteLoss(response, client, inputs);
    const sent = spoiling === undefined ? answered?.body : spoilBody(answered?.body ?? '', spoiling);
    this.#send(response, status, sent ?? { error: problem?.error }, {
      ...this.#waitHeaders(problem),
      ...(work === null ? {} : { 'openai-model': work.model }),
      'openai-processing-ms': String(Math.round(performance.now() - startedAt)),
    });
  }

  /** Notes when an answer cannot be handed over to the connection, or not to its end. */
  #noteLoss(response: ServerResponse, client: string, inputs: number): void {
    const note = (): void => this.#log.append({ client, lost: inputs });
    if (response.destroyed) note();
    else {
      response.once('close', () => {
        if (!response.writableFinished) note();
      });
    }
  }

  /** Refusals that do not depend on the request's content. */
  #refuseByState(request: IncomingMessage): ApiError | null {
    const { outage, apiKey, quotaExhausted } = this.#behaviour;
    if (outage === '503' || outage === '500') return serverError(outage === '503' ? 503 : 500);
    const key = apiKey ?? this.#apiKey;
    const sent = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (sent === undefined || (key !== null && sent !== key)) return invalidApiKey();
    return quotaExhausted ? insufficientQuota() : null;
  }

  /** Takes the request from the budgets; one with refused content costs a request, but no tokens. */
  #refuseByBudget({ model, rateTokens, refusal }: EmbeddingsRequest): ApiError | null {
    const shortage = this.#limits.take(refusal === null ? rateTokens : 0);
    if (shortage === null) return refusal;
    return rateLimited(model, shortage.kind, shortage.limit, shortage.requested, shortage.waitMs);
  }

  #waitHeaders(problem: ApiError | null): Record<string, string> {
    const waitMs = problem?.retryAfterMs;
    if (waitMs === undefined || waitMs === 0 || !this.#behaviour.retryAfter) return {};
    return { 'retry-after': String(Math.ceil(waitMs / 1000)), 'retry-after-ms': String(Math.ceil(waitMs)) };
  }

  #models(request: IncomingMessage, pathname: string, response: ServerResponse): void {
    const [, id] = /^\/v1\/models(?:\/([^/]+))?$/.exec(pathname) ?? [];
    const isModels = request.method === 'GET' && pathname.startsWith('/v1/models');
    const problem = isModels ? this.#refuseByState(request) : unknownPath(request.method ?? 'GET', pathname);
    if (problem !== null) return this.#send(response, problem.status, { error: problem.error });
    const models = Array.from(MODELS.keys(), (model) => ({
      id: model,
      object: 'model',
      created: 1_705_948_997,
      owned_by: 'system',
    }));
    if (id === undefined) return this.#send(response, 200, { object: 'list', data: models });
    const model = models.find((candidate) => candidate.id === id);
    if (model !== undefined) return this.#send(response, 200, model);
    const missing = modelNotFound(id);
    return this.#send(response, missing.status, { error: missing.error });
  }

  #control(route: string, search: URLSearchParams, body: unknown, response: ServerResponse): void {
    switch (route) {
      case 'GET /control/counters':
        return this.#send(response, 200, this.#log.counters());
      case 'GET /control/texts':
        return this.#send(response, 200, { texts: this.#log.paidTexts(search.get('client') ?? '') });
      case 'POST /control/reset':
        this.#log.reset();
        this.#limits.refill();
        return this.#send(response, 200, this.#log.counters());
      case 'GET /control/behaviour':
        return this.#send(response, 200, this.#behaviour);
      case 'PUT /control/behaviour':
      case 'DELETE /control/behaviour': {
        const changed = route.startsWith('PUT') ? changeBehaviour(this.#behaviour, body) : DEFAULT_BEHAVIOUR;
        if (typeof changed === 'string') {
          return this.#send(response, 400, { error: badRequest(changed).error });
        }
        this.#behaviour = changed;
        this.#limits.configure(changed.rpm, changed.tpm);
        return this.#send(response, 200, changed);
      }
      default:
        return this.#send(response, 404, {
          error: unknownPath(...(route.split(' ') as [string, string])).error,
        });
    }
  }

  #send(
    response: ServerResponse,
    status: number,
    body: string | object,
    headers: Record<string, string> = {},
  ): void {
    const text = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': text.length,
      'x-request-id': `req_${randomUUID().replaceAll('-', '')}`,
      ...this.#limits.headers(),
      ...headers,
    });
    response.end(text);
  }
}
