import { closeSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';

/** One request that was answered, or met an outage: a line of the log. */
export interface LogEntry {
  /** ISO time of the answer. */
  readonly t: string;
  /** The request's User-Agent header. */
  readonly client: string;
  /** 0: the connection was reset instead, in an outage. */
  readonly status: number;
  readonly inputs: number;
  /** Tokens on the bill; 0 if it was not answered with 200. */
  readonly tokens: number;
  /** SHA-256 (hex) of each text, in order. */
  readonly texts: readonly string[];
  /** A paid answer that was spoilt on purpose. */
  readonly spoilt?: boolean;
}

/** A paid answer that could not be handed over: a line of the log after that of its request. */
export interface LostAnswer {
  readonly client: string;
  /** Inputs of the request. */
  readonly lost: number;
}

/**
 * Totals of some requests. `inputs`, `tokens` and `distinctTexts` count paid answers (status 200) only. Of these inputs,
 * `spoiltInputs` were of answers spoilt on purpose, and `lostInputs` of others whose client was gone before its answer.
 */
export interface Totals {
  readonly requests: number;
  readonly paidRequests: number;
  readonly inputs: number;
  readonly tokens: number;
  readonly distinctTexts: number;
  readonly spoiltInputs: number;
  readonly lostInputs: number;
}

/** What GET /control/counters answers. */
export interface Counters extends Totals {
  readonly byClient: Record<string, Totals>;
  readonly statuses: Record<string, number>;
}

/** A paid text and how often it was paid. */
export interface PaidText {
  readonly sha256: string;
  readonly count: number;
}

class Tally {
  requests = 0;
  paidRequests = 0;
  inputs = 0;
  tokens = 0;
  spoiltInputs = 0;
  lostInputs = 0;
  readonly texts = new Map<string, number>();

  add(entry: LogEntry): void {
    this.requests += 1;
    if (entry.status !== 200) return;
    this.paidRequests += 1;
    this.inputs += entry.inputs;
    this.tokens += entry.tokens;
    if (entry.spoilt === true) this.spoiltInputs += entry.inputs;
    for (const text of entry.texts) this.texts.set(text, (this.texts.get(text) ?? 0) + 1);
  }

  totals(): Totals {
    const { requests, paidRequests, inputs, tokens, spoiltInputs, lostInputs } = this;
    const distinctTexts = this.texts.size;
    return { requests, paidRequests, inputs, tokens, distinctTexts, spoiltInputs, lostInputs };
  }
}

const READ_BYTES = 1 << 20;

/** Reads the lines of an open file; yields the unfinished last one too. */
function* linesOf(file: number): Generator<string> {
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for (let at = 0; ;) {
    const read = readSync(file, buffer, 0, READ_BYTES, at);
    if (read === 0) break;
    at += read;
    const lines = (rest + decoder.write(buffer.subarray(0, read))).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== '') yield rest;
}

function parse(line: string): LogEntry | LostAnswer | null {
  try {
    return JSON.parse(line) as LogEntry | LostAnswer;
  } catch {
    return null;
  }
}

/**
 * The append-only JSONL log of answered requests and the counters over it. The counters are computed from the file when
 * it is opened, so they survive a kill -9 of the server; a line torn by one is left out.
 */
export class RequestLog {
  readonly #file: number;
  #isClosed = false;
  #all = new Tally();
  #byClient = new Map<string, Tally>();
  #statuses = new Map<number, number>();

  /** Opens or creates the file. */
  constructor(path: string) {
    this.#file = openSync(path, 'a+');
    let torn = false;
    for (const line of linesOf(this.#file)) {
      const entry = parse(line);
      torn = entry === null;
      if (entry !== null) this.#count(entry);
    }
    if (torn) writeSync(this.#file, '\n');
  }

  #count(entry: LogEntry | LostAnswer): void {
    let client = this.#byClient.get(entry.client);
    if (client === undefined) this.#byClient.set(entry.client, (client = new Tally()));
    if ('lost' in entry) {
      this.#all.lostInputs += entry.lost;
      client.lostInputs += entry.lost;
      return;
    }
    this.#all.add(entry);
    client.add(entry);
    this.#statuses.set(entry.status, (this.#statuses.get(entry.status) ?? 0) + 1);
  }

  /** Writes a line, then counts it. To be called before the answer is sent: what a client has seen is in the log. */
  append(entry: LogEntry | LostAnswer): void {
    // The number of a closed file may be another file's by now.
    if (this.#isClosed) return;
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
    this.#count(entry);
  }

  /** The counters of this moment. */
  counters(): Counters {
    const byClient: Record<string, Totals> = {};
    for (const [client, tally] of this.#byClient) byClient[client] = tally.totals();
    const statuses: Record<string, number> = {};
    for (const [status, count] of this.#statuses) statuses[status] = count;
    return { ...this.#all.totals(), byClient, statuses };
  }

  /** Paid texts of the clients whose name contains `client` (all clients without it). */
  paidTexts(client = ''): PaidText[] {
    const counts = new Map<string, number>();
    for (const [name, tally] of this.#byClient) {
      if (!name.includes(client)) continue;
      for (const [text, count] of tally.texts) counts.set(text, (counts.get(text) ?? 0) + count);
    }
    return Array.from(counts, ([sha256, count]) => ({ sha256, count }));
  }

  /** Forgets everything, in the file too. */
  reset(): void {
    ftruncateSync(this.#file, 0);
    this.#all = new Tally();
    this.#byClient = new Map();
    this.#statuses = new Map();
  }

  /** Closes the file. */
  close(): void {
    this.#isClosed = true;
    closeSync(this.#file);
  }
}
