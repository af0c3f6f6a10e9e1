import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { SAMPLING, tellIfSlow } from '../../src/cli/slow-note.ts';

/** What is said until an answer comes after so long, on a terminal or not. */
async function saidBy(
  test: TestContext,
  afterMs: number,
  { isTTY = true, json = false }: { isTTY?: boolean; json?: boolean } = {},
): Promise<string[]> {
  test.mock.timers.enable({ apis: ['setTimeout'] });
  const before = Object.getOwnPropertyDescriptor(process.stderr, 'isTTY');
  Object.defineProperty(process.stderr, 'isTTY', { value: isTTY, configurable: true });
  const error = test.mock.method(console, 'error', () => undefined);
  try {
    const answer = new Promise((resolve) => setTimeout(() => resolve('answer'), afterMs));
    const told = tellIfSlow(answer, SAMPLING, { json });
    test.mock.timers.tick(afterMs);
    assert.equal(await told, 'answer');
    test.mock.timers.tick(60_000);
    return error.mock.calls.map(({ arguments: said }) =>
      stripVTControlCharacters(String((said as unknown[])[0])),
    );
  } finally {
    if (before === undefined) Reflect.deleteProperty(process.stderr, 'isTTY');
    else Object.defineProperty(process.stderr, 'isTTY', before);
  }
}

describe('a slow answer', () => {
  it('is announced once, on a terminal, after three seconds', async (test) => {
    assert.deepEqual(await saidBy(test, 20_000), [SAMPLING]);
  });

  it('is not announced if it comes soon', async (test) => {
    assert.deepEqual(await saidBy(test, 2_900), []);
  });

  it('is not announced to programs', async (test) => {
    assert.deepEqual(await saidBy(test, 20_000, { isTTY: false }), []);
  });

  it('nor with --json', async (test) => {
    assert.deepEqual(await saidBy(test, 20_000, { json: true }), []);
  });
});
