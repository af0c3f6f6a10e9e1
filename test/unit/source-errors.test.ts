import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Fault } from '../../src/errors.ts';
import type { FaultCode } from '../../src/errors.ts';
import { explainSourceError } from '../../src/source/errors.ts';

type DriverFields = Partial<Record<'code' | 'sqlState' | 'sqlMessage' | 'sql' | 'message', string>> & {
  errno?: number;
};

/** An error as mysql2 makes them. */
const driverError = (fields: DriverFields) =>
  Object.assign(new Error(fields.sqlMessage ?? 'some message'), fields);

function codeOf(fields: DriverFields): FaultCode | undefined {
  const explained = explainSourceError(driverError(fields));
  return explained instanceof Fault ? explained.code : undefined;
}

describe('explainSourceError', () => {
  it('knows the usual codes', () => {
    const expected: Record<string, FaultCode> = {
      ER_ACCESS_DENIED_ERROR: 'source_access_denied',
      ER_DBACCESS_DENIED_ERROR: 'source_access_denied',
      ER_TABLEACCESS_DENIED_ERROR: 'source_access_denied',
      ER_NO_SUCH_TABLE: 'source_table_missing',
      ER_BAD_DB_ERROR: 'source_table_missing',
      ER_BAD_FIELD_ERROR: 'source_table_missing',
      ER_PARSE_ERROR: 'source_misconfigured',
      ER_LOCK_WAIT_TIMEOUT: 'source_unavailable',
      ER_LOCK_DEADLOCK: 'source_unavailable',
      ER_QUERY_INTERRUPTED: 'source_unavailable',
      ER_CON_COUNT_ERROR: 'source_unavailable',
      ER_SERVER_SHUTDOWN: 'source_unavailable',
      PROTOCOL_CONNECTION_LOST: 'source_unavailable',
      ECONNREFUSED: 'source_unavailable',
      ETIMEDOUT: 'source_unavailable',
    };
    for (const [code, fault] of Object.entries(expected)) assert.equal(codeOf({ code }), fault, code);
  });

  it('knows the numbers that only MariaDB has, the class of connection errors and a closed connection', () => {
    assert.equal(codeOf({ code: 'UNKNOWN_CODE_PLEASE_REPORT', errno: 1927 }), 'source_unavailable');
    assert.equal(
      codeOf({ code: 'ER_BULK_PARSER_INCOMPLETE_ESCAPE_SEQUENCE', errno: 4151 }),
      'source_access_denied',
    );
    assert.equal(codeOf({ code: 'ER_SOMETHING', sqlState: '08S01' }), 'source_unavailable');
    const message = "Can't add new command when connection is in closed state";
    assert.equal(codeOf({ message }), 'source_unavailable');
  });

  it('tells a bad certificate from a handshake that broke off', () => {
    const code = 'HANDSHAKE_SSL_ERROR';
    assert.equal(
      codeOf({ code, message: 'self-signed certificate in certificate chain' }),
      'source_misconfigured',
    );
    assert.equal(codeOf({ code, message: 'read ECONNRESET' }), 'source_unavailable');
  });

  it('names host and port of a connection that is refused, and nothing else of its message', () => {
    const refused = { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 10.0.0.7:3306' };
    assert.match(
      (explainSourceError(driverError(refused)) as Fault).message,
      /\(ECONNREFUSED at 10\.0\.0\.7:3306\)$/u,
    );
    const several = Object.assign(new AggregateError([new Error('connect ECONNREFUSED ::1:3306')], ''), {
      code: 'ECONNREFUSED',
    });
    assert.match((explainSourceError(several) as Fault).message, /at ::1:3306\)$/u);
    const other = { code: 'ER_ACCESS_DENIED_ERROR', message: "Access denied for user 'canary'" };
    assert.doesNotMatch((explainSourceError(driverError(other)) as Fault).message, /canary/u);
  });

  it('names what is missing, but never quotes what a row may hold', () => {
    const missing = explainSourceError(
      driverError({
        code: 'ER_NO_SUCH_TABLE',
        sqlState: '42S02',
        sqlMessage: "Table 'shop.t' doesn't exist",
      }),
    );
    assert.match(
      (missing as Fault).message,
      /ER_NO_SUCH_TABLE, SQLSTATE 42S02: Table 'shop\.t' doesn't exist/u,
    );
    const quoted = { sqlMessage: "Truncated incorrect DOUBLE value: 'secret'", sql: 'SELECT secret' };
    const fault = explainSourceError(driverError({ code: 'ER_TRUNCATED_WRONG_VALUE', ...quoted })) as Fault;
    assert.ok(fault instanceof Fault);
    assert.ok(!fault.message.includes('secret'));
    assert.equal(fault.cause, undefined);
  });

  it('leaves everything else as it is', () => {
    const fault = new Fault('source_unavailable');
    for (const error of [
      driverError({ code: 'ER_DUP_ENTRY' }),
      new TypeError('a bug'),
      'text',
      null,
      fault,
    ]) {
      assert.equal(explainSourceError(error), error);
    }
  });
});
