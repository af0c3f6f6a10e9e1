/** Codes that come about where TLS meets a server without it. */
const TLS_MISMATCH = /^(?:ERR_SSL_|EPROTO$)/;
const UNTRUSTED = /CERT|SIGNATURE/;

/**
 * Why there is no connection, and which setting to look at.
 *
 * @param code of the connection's error, such as `ECONNREFUSED`; undefined: it has none
 */
export function connectionDetail(code: string | undefined): string {
  if (code === undefined) return 'no connection; check OPENAI_BASE_URL';
  const what = `no connection: ${code}`;
  if (TLS_MISMATCH.test(code)) return `${what}; does OPENAI_BASE_URL begin with http:?`;
  if (UNTRUSTED.test(code)) return `${what}; set NODE_EXTRA_CA_CERTS to its authority's PEM file`;
  return `${what}; check OPENAI_BASE_URL`;
}
