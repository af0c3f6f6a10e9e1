import {
  QdrantClientResourceExhaustedError,
  QdrantClientUnexpectedResponseError,
} from '@qdrant/js-client-rest';
import { Fault, type FaultCode } from '../errors.ts';
import { SCHEMA_NAMES } from './payload.ts';
import { unreachableFault } from './unreachable.ts';

const MAX_DETAIL = 200;

/** A reply with an error status, as the client throws it; its class is not exported. */
interface Refusal {
  readonly status: number;
  readonly headers: Headers;
  /** Qdrant's reply is `{status: {error}}`; a proxy's may be any text. */
  readonly data: unknown;
}

/** By status; the first entry whose message fits. */
const REFUSALS: readonly { status: readonly number[]; message?: RegExp; code: FaultCode }[] = [
  // A full disk shows as an internal error of the write-ahead log; 1.19 and later answer 507.
  { status: [507], code: 'target_storage_full' },
  {
    status: [500, 503],
    message: /no space left|disk space|disk full|out of disk/i,
    code: 'target_storage_full',
  },
  { status: [403], message: /^storage locked/i, code: 'target_refused' },
  { status: [401, 403], code: 'target_access_denied' },
  // A point went away between scan and write: the batch has to look again, the same write would never work.
  { status: [404], message: /no point with id/i, code: 'unexpected' },
  { status: [404], message: /collection|alias/i, code: 'target_collection_missing' },
  { status: [429], code: 'target_overloaded' },
  { status: [408], code: 'target_unavailable' },
];

/** @returns the {@link Fault} that explains what the driver threw, or the same error if nothing does */
export function faultOf(error: unknown): unknown {
  if (error instanceof Fault || !(error instanceof Error)) {
    return error;
  }
  if (isRefusal(error)) {
    return refusalFault(error);
  }
  if (error instanceof QdrantClientResourceExhaustedError) {
    // The client kept only the first character of Retry-After ("30" became 3), so its number is not used.
    return new Fault('target_overloaded', 'status 429', { cause: error });
  }
  if (error instanceof QdrantClientUnexpectedResponseError) {
    return new Fault('target_unavailable', 'a reply without content', { cause: error });
  }
  return unreachableFault(error) ?? error;
}

/** @returns the HTTP status behind a fault, or null if there was no reply */
export function statusOf(fault: unknown): number | null {
  return fault instanceof Fault && isRefusal(fault.cause) ? fault.cause.status : null;
}

function isRefusal(error: unknown): error is Refusal {
  return (
    error instanceof Error && 'status' in error && typeof error.status === 'number' && 'headers' in error
  );
}

function refusalFault(refusal: Refusal): Fault {
  const { status } = refusal;
  const message = serverMessage(refusal.data);
  const entry = REFUSALS.find((row) => row.status.includes(status) && row.message?.test(message) !== false);
  const code = entry?.code ?? (status >= 500 ? 'target_unavailable' : 'target_refused');
  const hint =
    code === 'target_access_denied' ? '' : ' without a message of Qdrant; check that QDRANT_URL leads to it';
  const detail = `status ${status}${message === '' ? hint : `: ${withoutContent(message)}`}`;
  const retryAfterMs = delay(refusal.headers.get('retry-after'));
  return new Fault(code, detail, { cause: refusal, ...(retryAfterMs === null ? {} : { retryAfterMs }) });
}

function serverMessage(data: unknown): string {
  const status = data !== null && typeof data === 'object' && 'status' in data ? data.status : undefined;
  const error = status !== null && typeof status === 'object' && 'error' in status ? status.error : undefined;
  return typeof error === 'string' ? error : '';
}

/**
 * Qdrant's messages quote what they complain about, which may be a row's content. Only names of our own schema stay;
 * everything from the first other quote to the last goes, and the rest is cut.
 */
export function withoutContent(message: string): string {
  const named = message.replace(/(["'`])([\w-]+)\1/g, (quoted, _quote, name: string) =>
    SCHEMA_NAMES.has(name) ? name : quoted,
  );
  const first = named.search(/["'`]/);
  const last = Math.max(...['"', "'", '`'].map((quote) => named.lastIndexOf(quote)));
  const safe =
    first === -1 ? named : `${named.slice(0, first)}…${first === last ? '' : named.slice(last + 1)}`;
  return safe.replace(/\s+/g, ' ').trim().slice(0, MAX_DETAIL);
}

/** Retry-After as seconds or as a date; null if absent, unreadable or not in the future. */
function delay(header: string | null): number | null {
  if (header === null) {
    return null;
  }
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}
