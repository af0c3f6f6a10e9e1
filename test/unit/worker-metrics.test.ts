import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

const WORKER = join(import.meta.dirname, '../../src/worker.ts');

test('a worker that is started by itself names the setting of metrics that cannot be served', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'ferry-metrics-'));
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: dir,
    MYSQL_HOST: '127.0.0.1',
    MYSQL_USER: 'ferry',
    MYSQL_PASSWORD: 'pw',
    MYSQL_DATABASE: 'memos',
    QDRANT_URL: 'http://127.0.0.1:1',
    OPENAI_API_KEY: 'sk-test',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    // Of a block that is set aside for documentation: no interface has it.
    WORKER_METRICS_ADDRESS: '192.0.2.1:9464',
  };
  const child = spawn(process.execPath, [WORKER], { cwd: dir, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const [stderr, ended] = [text(child.stderr), once(child, 'close')];
  assert.deepEqual(await ended, [2, null], await stderr);
  assert.match(await stderr, /^WORKER_METRICS_ADDRESS: expected an IP address and a free port/u);
  rmSync(dir, { recursive: true });
});
