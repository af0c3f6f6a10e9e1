import { Fault, FAULTS } from '../errors.ts';
import type { FaultCode } from '../errors.ts';

/** Codes of the driver and of the server, by what they mean for the work in hand. */
const CODES: Readonly<Record<string, readonly string[]>> = {
  source_access_denied: [
    'ER_ACCESS_DENIED_ERROR',
    'ER_ACCESS_DENIED_NO_PASSWORD_ERROR',
    'ER_DBACCESS_DENIED_ERROR',
    'ER_TABLEACCESS_DENIED_ERROR',
    'ER_COLUMNACCESS_DENIED_ERROR',
    'ER_SPECIFIC_ACCESS_DENIED_ERROR',
    'ER_PROCACCESS_DENIED_ERROR',
    'ER_HOST_NOT_PRIVILEGED',
    'ER_ACCOUNT_HAS_BEEN_LOCKED',
    'ER_MUST_CHANGE_PASSWORD',
    'ER_MUST_CHANGE_PASSWORD_LOGIN',
    'ER_NOT_SUPPORTED_AUTH_MODE',
    'ER_SECURE_TRANSPORT_REQUIRED',
    'AUTH_SWITCH_PLUGIN_ERROR',
  ],
  source_table_missing: [
    'ER_NO_SUCH_TABLE',
    'ER_NO_SUCH_TABLE_IN_ENGINE',
    'ER_BAD_TABLE_ERROR',
    'ER_BAD_DB_ERROR',
    'ER_BAD_FIELD_ERROR',
    'ER_NO_DB_ERROR',
  ],
  source_misconfigured: [
    'ER_PARSE_ERROR',
    'ER_SYNTAX_ERROR',
    'ER_EMPTY_QUERY',
    'ER_NON_UNIQ_ERROR',
    'ER_VIEW_INVALID',
    'ER_SP_DOES_NOT_EXIST',
    'ER_FUNC_INEXISTENT_NAME_COLLISION',
    'ER_WRONG_PARAMCOUNT_TO_NATIVE_FCT',
    'ER_WRONG_PARAMCOUNT_TO_PROCEDURE',
    'ER_WRONG_PARAMETERS_TO_NATIVE_FCT',
    'ER_WRONG_ARGUMENTS',
    'ER_WRONG_VALUE',
    'ER_TRUNCATED_WRONG_VALUE',
    'ER_DATA_OUT_OF_RANGE',
    'ER_ILLEGAL_VALUE_FOR_TYPE',
    'ER_OPERAND_COLUMNS',
    'ER_SUBQUERY_NO_1_ROW',
    'ER_INVALID_GROUP_FUNC_USE',
    'ER_ILLEGAL_REFERENCE',
    'ER_CANT_AGGREGATE_2COLLATIONS',
    'ER_CANT_AGGREGATE_3COLLATIONS',
    'ER_CANT_AGGREGATE_NCOLLATIONS',
    'ER_UNKNOWN_CHARACTER_SET',
    'ER_UNKNOWN_COLLATION',
    'ER_REGEXP_ERROR',
    'ER_INVALID_JSON_TEXT',
    'ER_INVALID_JSON_TEXT_IN_PARAM',
    'ER_INVALID_JSON_PATH',
    'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION',
    'ER_TOO_BIG_SELECT',
    'HANDSHAKE_NO_SSL_SUPPORT',
  ],
  source_unavailable: [
    'ECONNREFUSED',
    'ECONNRESET',
    'ECONNABORTED',
    'EPIPE',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'EHOSTDOWN',
    'ENETUNREACH',
    'ENETDOWN',
    'ENOTFOUND',
    'EAI_AGAIN',
    'PROTOCOL_CONNECTION_LOST',
    'PROTOCOL_SEQUENCE_TIMEOUT',
    'PROTOCOL_PACKETS_OUT_OF_ORDER',
    'HANDSHAKE_SSL_ERROR',
    'HANDSHAKE_UNKNOWN_ERROR',
    'ER_CON_COUNT_ERROR',
    'ER_TOO_MANY_USER_CONNECTIONS',
    'ER_USER_LIMIT_REACHED',
    'ER_HOST_IS_BLOCKED',
    'ER_HANDSHAKE_ERROR',
    'ER_BAD_HOST_ERROR',
    'ER_UNKNOWN_COM_ERROR',
    'ER_OUT_OF_RESOURCES',
    'ER_OUTOFMEMORY',
    'ER_OUT_OF_SORTMEMORY',
    'ER_CANT_CREATE_THREAD',
    'ER_DISK_FULL',
    'ER_ERROR_ON_READ',
    'ER_GET_ERRNO',
    'ER_CHECKREAD',
    'ER_SERVER_SHUTDOWN',
    'ER_NORMAL_SHUTDOWN',
    'ER_SHUTDOWN_COMPLETE',
    'ER_FORCING_CLOSE',
    'ER_ABORTING_CONNECTION',
    'ER_NEW_ABORTING_CONNECTION',
    'ER_CONNECTION_KILLED',
    'ER_CLIENT_INTERACTION_TIMEOUT',
    'ER_SERVER_OFFLINE_MODE',
    'ER_SERVER_ISNT_AVAILABLE',
    'ER_NET_READ_ERROR',
    'ER_NET_READ_INTERRUPTED',
    'ER_NET_ERROR_ON_WRITE',
    'ER_NET_WRITE_INTERRUPTED',
    'ER_NET_PACKETS_OUT_OF_ORDER',
    'ER_LOCK_WAIT_TIMEOUT',
    'ER_LOCK_DEADLOCK',
    'ER_LOCK_TABLE_FULL',
    'ER_LOCK_ABORTED',
    'ER_QUERY_INTERRUPTED',
    'ER_QUERY_TIMEOUT',
    'ER_STATEMENT_TIMEOUT',
    'ER_TABLE_DEF_CHANGED',
    'ER_NEED_REPREPARE',
  ],
} satisfies Partial<Record<FaultCode, readonly string[]>>;

const FAULT_BY_CODE = new Map(
  Object.entries(CODES).flatMap(([fault, codes]) => codes.map((code) => [code, fault as FaultCode] as const)),
);

/** MariaDB's own numbers, for which the driver has MySQL's names or none. */
const FAULT_BY_NUMBER = new Map<number, FaultCode>([
  [1927, 'source_unavailable'], // connection killed
  [1969, 'source_unavailable'], // max_statement_time
  [4151, 'source_access_denied'], // account locked
]);

/** Their messages name tables, columns and the query's own text; others may quote what a row holds. */
const MESSAGE_IS_SAFE = new Set([
  'ER_NO_SUCH_TABLE',
  'ER_BAD_DB_ERROR',
  'ER_BAD_FIELD_ERROR',
  'ER_PARSE_ERROR',
  'ER_NON_UNIQ_ERROR',
  'ER_SP_DOES_NOT_EXIST',
]);
const MESSAGE_LENGTH = 200;

const CERTIFICATE_HINT = ': its certificate is not trusted; check MYSQL_TLS and MYSQL_CA';

/** What the driver's errors carry. */
interface DriverError {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly sqlState?: unknown;
  readonly sqlMessage?: unknown;
  readonly message?: unknown;
}

/**
 * Explains an error of the driver. The driver's error is not kept as the cause: it holds the query and may quote a row.
 *
 * @returns a {@link Fault}, or the very same error if it is not known
 */
export function explainSourceError(error: unknown): unknown {
  if (typeof error !== 'object' || error === null || error instanceof Fault) return error;
  const { code, errno, sqlState, sqlMessage } = error as DriverError;
  const fault = faultCode(error);
  if (fault === undefined) return error;
  const hint = fault === 'source_misconfigured' && code === 'HANDSHAKE_SSL_ERROR' ? CERTIFICATE_HINT : '';
  const detail = [code ?? errno, sqlState].filter(isNamed).join(', SQLSTATE ') + placeOf(error) + hint;
  const known = typeof code === 'string' && MESSAGE_IS_SAFE.has(code) && typeof sqlMessage === 'string';
  return new Fault(fault, known ? `${detail}: ${sqlMessage.slice(0, MESSAGE_LENGTH)}` : detail);
}

/** @returns what the fault says beyond its code's sentence; empty if it says no more */
export function detailOf(fault: Fault): string {
  return fault.message.slice(FAULTS[fault.code].message.length).replace(/^ \((.*)\)$/su, '$1');
}

function faultCode(error: DriverError): FaultCode | undefined {
  if (typeof error.errno === 'number') {
    const fault = FAULT_BY_NUMBER.get(error.errno);
    if (fault !== undefined) return fault;
  }
  // The driver gives all failures of TLS one code; one about the certificate does not pass by itself.
  if (error.code === 'HANDSHAKE_SSL_ERROR' && /certificate|altname/iu.test(messageOf(error))) {
    return 'source_misconfigured';
  }
  if (typeof error.code === 'string') {
    const fault = FAULT_BY_CODE.get(error.code);
    if (fault !== undefined) return fault;
  }
  // Class 08 of the SQL standard: connection exceptions.
  if (typeof error.sqlState === 'string' && error.sqlState.startsWith('08')) return 'source_unavailable';
  // The driver gives no code to a command on a connection that closed just before.
  if (/closed state/u.test(messageOf(error))) return 'source_unavailable';
  return undefined;
}

/** ` at host:port` of a connection that did not come about; the driver has it in the system's own message only. */
function placeOf(error: DriverError): string {
  // A name with several addresses has an error for each, and a message for none.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const message = first instanceof Error ? first.message : '';
  const [, place] = /^(?:connect|getaddrinfo) E[A-Z_]+ ([\w.:-]+)$/u.exec(message) ?? [];
  return place === undefined ? '' : ` at ${place}`;
}

function messageOf(error: DriverError): string {
  return typeof error.message === 'string' ? error.message : '';
}

function isNamed(value: unknown): value is string | number {
  return (typeof value === 'string' && value !== '') || typeof value === 'number';
}
