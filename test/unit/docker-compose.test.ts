import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseEnv } from 'node:util';
import { ledgerConfig, serviceConfig } from '../../src/config.ts';
import { services } from '../../src/stack/services.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const lines = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, found = '']) => found);

describe('docker-compose.stores.yml', () => {
  const file = read('docker-compose.stores.yml');
  /** The lines of its heading that belong into .env. */
  const settings = parseEnv(lines(file, /^# {3}([A-Z_]+=.*)$/gmu).join('\n')) as Record<string, string>;

  it('names every setting of source, target and ledger', () => {
    const environment = {
      values: { ...settings, OPENAI_API_KEY: 'sk-one' },
      warnings: [],
      isStack: false,
    };
    serviceConfig(environment);
    ledgerConfig(environment);
    assert.equal(Object.keys(settings).length, 9);
  });

  it('has a key that its PostgREST takes for the service role', () => {
    const [, secret = ''] = /PGRST_JWT_SECRET: (\S+)/u.exec(file) ?? [];
    const [head = '', claims = '', signature] = settings['SUPABASE_KEY']?.split('.') ?? [];
    assert.equal(createHmac('sha256', secret).update(`${head}.${claims}`).digest('base64url'), signature);
    const { role } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { role: string };
    assert.equal(role, 'service_role');
    assert.ok(secret.length >= 32);
  });

  it('has the logins that its heading tells', () => {
    for (const name of ['USER', 'PASSWORD', 'DATABASE']) {
      assert.ok(file.includes(`MYSQL_${name}: ${settings[`MYSQL_${name}`]}\n`), name);
    }
    assert.ok(file.includes(`QDRANT__SERVICE__API_KEY: ${settings['QDRANT_API_KEY']}\n`));
  });

  it('publishes the ports of its heading, on the loopback address only', () => {
    const ports = lines(file, /^ +- (\S+:\d+:\d+)$/gmu);
    assert.ok(ports.every((port) => port.startsWith('127.0.0.1:')));
    for (const name of ['QDRANT_URL', 'SUPABASE_URL']) {
      const { port } = new URL(settings[name] ?? '');
      assert.ok(
        ports.some((published) => published.startsWith(`127.0.0.1:${port}:`)),
        name,
      );
    }
  });

  it('uses volumes, configs and folders that exist', () => {
    const section = (name: string) => file.split(`\n${name}:\n`)[1] ?? '';
    const volumes = lines(section('volumes'), /^ {2}([a-z]+):$/gmu);
    const used = lines(file, /^ {6}- ([a-z]+):\/[a-z]/gmu);
    assert.deepEqual(used.toSorted(), volumes.toSorted());
    const [folder = ''] = lines(file, /^ {6}- \.\/(\S+):\/migrations:ro$/gmu);
    assert.ok(existsSync(join(ROOT, folder)));
  });
});

describe('images', () => {
  it('are of the same versions for Docker Compose and for `ferry stack`', () => {
    const composed = ['docker-compose.stores.yml', 'docker-compose.temporal.yml'].flatMap((name) =>
      lines(read(name), /^ {4}image: (\S+)$/gmu),
    );
    for (const { name, image } of Object.values(services)) {
      // Compose has MySQL itself; the stack has MariaDB everywhere.
      if (image !== undefined && name !== 'mariadb') assert.ok(composed.includes(image), image);
    }
  });
});
