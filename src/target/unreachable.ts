import { QdrantClientTimeoutError } from '@qdrant/js-client-rest';
import { Fault, type FaultCode } from '../errors.ts';

/** Why no whole reply came, by the code of Node or of its HTTP client. The first entry that fits counts. */
const REASONS: readonly { code: RegExp; fault: FaultCode; advice: string }[] = [
  {
    code: /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH)$/,
    fault: 'target_unavailable',
    advice: 'nobody listens at QDRANT_URL; start Qdrant, or check host and port',
  },
  {
    code: /^(ENOTFOUND|EAI_AGAIN)$/,
    fault: 'target_unavailable',
    advice: 'the host of QDRANT_URL is not known; check its name',
  },
  // These never pass by themselves, so the job pauses.
  {
    code: /^(ERR_SSL_.*|EPROTO)$/,
    fault: 'target_refused',
    advice: 'the server at QDRANT_URL does not use TLS as https:// asks for; write http:// if it uses none',
  },
  {
    code: /^(ERR_TLS_.*|CERT_.*|DEPTH_ZERO_.*|SELF_SIGNED_.*|UNABLE_TO_.*)$/,
    fault: 'target_refused',
    advice:
      'the certificate of the server at QDRANT_URL is not trusted; use the name that it was issued for, or give its authority to Node in NODE_EXTRA_CA_CERTS',
  },
  {
    code: /^(HPE_.*|HTTPParserError)$/,
    fault: 'target_refused',
    advice:
      'the server at QDRANT_URL does not answer in plain HTTP; write https:// if it uses TLS, and the port of its REST interface (6333)',
  },
  {
    code: /^(UND_ERR_SOCKET|ECONNRESET|EPIPE)$/,
    fault: 'target_unavailable',
    advice:
      'the connection broke off; if it always does, check in QDRANT_URL the port and whether it is https:// or http://',
  },
  {
    code: /./,
    fault: 'target_unavailable',
    advice: 'if it stays so, check QDRANT_URL',
  },
];

/** @returns the fault that explains why no whole reply came, or null if `error` is something else */
export function unreachableFault(error: Error): Fault | null {
  const reason = reasonOf(error);
  const entry = reason === null ? undefined : REASONS.find(({ code }) => code.test(reason));
  return entry === undefined
    ? null
    : new Fault(entry.fault, `${reason}${placeOf(error)}: ${entry.advice}`, { cause: error });
}

/** ` at host:port` of a connection that did not come about, as the system's own message has it. */
function placeOf({ cause }: Error): string {
  // A name with several addresses has an error for each, and a message for none.
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  const message = first instanceof Error ? first.message : '';
  const [, place] = /^(?:connect|getaddrinfo) E[A-Z_]+ ([\w.:-]+)$/u.exec(message) ?? [];
  return place === undefined ? '' : ` at ${place}`;
}

function reasonOf(error: Error): string | null {
  if (
    error instanceof QdrantClientTimeoutError ||
    error.name === 'TimeoutError' ||
    error.name === 'AbortError'
  ) {
    return 'timeout';
  }
  // JSON that ends in the middle, or a proxy's page sent as JSON.
  if (error instanceof SyntaxError) {
    return 'an unreadable reply';
  }
  // Node's parser error has a name only.
  if (error.cause instanceof Error && error.cause.name === 'HTTPParserError') {
    return 'HTTPParserError';
  }
  const code = errorCode(error) ?? errorCode(error.cause);
  return code ?? (/^(fetch failed|terminated)$/.test(error.message) ? 'no connection' : null);
}

function errorCode(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}
