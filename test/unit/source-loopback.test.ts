import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback } from '../../src/source/examine.ts';

test('what leads to this machine and nowhere else', () => {
  for (const host of ['localhost', 'LOCALHOST', '127.0.0.1', '127.8.9.10', '::1', '[::1]']) {
    assert.ok(isLoopback(host), host);
  }
  for (const host of [
    'db',
    'localhost.example',
    '10.127.0.1',
    '127.0.0.1.example',
    '127.db',
    '::2',
    '0.0.0.0',
  ]) {
    assert.ok(!isLoopback(host), host);
  }
});
